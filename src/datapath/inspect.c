// SPDX-License-Identifier: GPL-2.0-only
/* What health is judged by: is the datapath where it was put, and can it do its work? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "datapath/internal.h"

/* *age is -1: there was none. -ENOENT: nothing is pinned. */
static int beat_age(const char *instance, int64_t *age)
{
	_cleanup_close_ int fd = datapath_open_pin(instance, "heartbeat");
	struct heartbeat beat;
	uint32_t zero = 0;
	int err = fd < 0 ? fd : datapath_check_value(fd, sizeof(beat));

	if (!err && bpf_map_lookup_elem(fd, &zero, &beat))
		err = -errno;
	*age = err || !beat.beaten_at ? -1 : clock_ms() - (int64_t)(beat.beaten_at / 1000000);
	return err == -EPROTO ? 0 : err; /* another version beats otherwise */
}

/* Looking for the rules whose next hop is not known. */
struct unresolved_search {
	struct datapath_condition *condition;
	const struct rule_hits *counts; /* NULL: they cannot be read */
};

static uint64_t inspect_count_packets(struct unresolved_search *search, uint32_t counter)
{
	struct hits hits;

	if (!search->counts) {
		search->condition->unresolved_counted = false;
		return 0;
	}
	hits = datapath_rule_hits(search->counts, counter);
	search->condition->unresolved_packets += hits.packets;
	return hits.packets;
}

/* Notes which rule suffers from a next hop that is not known; the lowest of each. */
static void note_unresolved(void *data, const struct datapath_target *target)
{
	struct unresolved_search *search = data;
	struct datapath_condition *condition = search->condition;
	enum next_hop_state state = target->hop.word[1] >> NEXT_HOP_STATE_SHIFT;
	uint64_t packets;

	if (state == NEXT_HOP_RESOLVED || state == NEXT_HOP_LOCAL)
		return;
	packets = inspect_count_packets(search, target->counter);
	for (size_t i = 0; i < condition->unresolved_count; i++) {
		struct datapath_unresolved *known = &condition->unresolved[i];

		if (memcmp(&known->target, &target->address, sizeof(known->target)) != 0)
			continue;
		known->packets += packets;
		if (target->rule < known->rule)
			known->rule = target->rule;
		return;
	}
	if (condition->unresolved_count < DATAPATH_UNRESOLVED_SHOWN)
		condition->unresolved[condition->unresolved_count++] =
			(struct datapath_unresolved){.target = target->address,
						     .rule = target->rule,
						     .failed = state == NEXT_HOP_FAILED,
						     .packets = packets};
}

static void find_unresolved(const char *instance, uint32_t generation,
			    const struct pipeline_config *config,
			    struct datapath_condition *condition)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "rule_hits");
	_cleanup_close_ int only_fd =
		datapath_open_generation_pin(instance, generation, "only_hits");
	struct rule_hits counts;
	bool counted = fd >= 0 && only_fd >= 0 &&
		       datapath_map_rule_hits(fd, only_fd, config, &counts) == 0;
	struct unresolved_search search = {.condition = condition,
					   .counts = counted ? &counts : NULL};

	condition->unresolved_counted = true;
	datapath_each_target(instance, generation, note_unresolved, &search);
	if (counted)
		datapath_unmap_rule_hits(&counts);
	datapath_name_unresolved(instance, generation, condition);
}

static int read_next_hops(const char *instance, uint32_t generation,
			  const struct pipeline_config *config,
			  struct datapath_condition *condition)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "next_hops");
	uint32_t entries;
	size_t size;
	const struct next_hop *hops;
	int err;

	if (config->next_hop != NEXT_HOP_ROUTE || (!config->nat4_shapes && !config->nat6_shapes))
		return 0;
	err = fd < 0 ? fd : datapath_check_value(fd, sizeof(*hops));
	if (!err)
		err = datapath_map_entries(fd, &entries);
	if (err)
		return err;
	hops = datapath_map_array(fd, PROT_READ, &size);
	if (hops == MAP_FAILED)
		return -errno;
	for (uint32_t i = 0; i < entries; i++) {
		uint64_t state = hops[i].word[1] >> NEXT_HOP_STATE_SHIFT;

		if (state < NEXT_HOP_STATES)
			condition->next_hops[state]++;
	}
	munmap((void *)hops, size);
	if (condition->next_hops[NEXT_HOP_UNKNOWN] || condition->next_hops[NEXT_HOP_FAILED])
		find_unresolved(instance, generation, config, condition);
	return 0;
}

static int inspect_generation(const char *instance, uint32_t generation,
			      struct datapath_condition *condition)
{
	_cleanup_free_ struct pipeline_config *config = calloc(1, sizeof(*config));
	int err = config ? datapath_read_constants(instance, generation, config) : -ENOMEM;

	memset(condition->next_hops, 0, sizeof(condition->next_hops));
	condition->unresolved_count = 0;
	condition->unresolved_packets = 0;
	if (err)
		return err;
	condition->mtu = config->mtu;
	if (config->vni_mode == VNI_ANY)
		condition->other_vnis = datapath_read_other_vnis(instance, generation);
	condition->oversize = config->oversize;
	condition->truncated = config->truncated;
	return read_next_hops(instance, generation, config, condition);
}

static int inspect_current(const char *instance, struct datapath_condition *condition)
{
	uint32_t generation, after;
	int err = 0;

	/* a reload may take the generation away while it is read: then the next one is there */
	for (int tries = 0; tries < 5; tries++) {
		if (datapath_current_generation(instance, &generation))
			return 0;
		err = inspect_generation(instance, generation, condition);
		if (datapath_current_generation(instance, &after) || after == generation)
			break;
	}
	/* another version's, or gone meanwhile */
	return err == -EPROTO || err == -ENOENT ? 0 : err;
}

static int inspect_links(const char *instance, struct datapath_condition *condition)
{
	struct bpf_link_info egress;
	int err = datapath_read_state(instance, &condition->state);

	if (err)
		return err;
	err = datapath_read_link(instance, PIN_EGRESS_LINK, &egress);
	condition->egress_detached = !err && !egress.xdp.ifindex;
	return err == -ENOENT ? 0 : err;
}

int datapath_inspect(const char *instance, struct datapath_condition *condition,
		     struct error *error)
{
	int64_t age;
	/* first, as the rest may take long, which is not the daemon's age */
	int beat_err = beat_age(instance, &age);
	int err = datapath_read_counters(instance, &condition->counters, &condition->info, error);

	memset((char *)condition + offsetof(struct datapath_condition, state), 0,
	       sizeof(*condition) - offsetof(struct datapath_condition, state));
	condition->beat_age_ms = age;
	if (err == -ENOENT) {
		condition->state = DATAPATH_ABSENT;
		return 0;
	}
	if (err)
		return err;
	if (datapath_is_unpinned(instance))
		return 0;
	err = beat_err == -ENOENT ? 0 : beat_err;
	if (!err)
		err = inspect_links(instance, condition);
	datapath_read_losses(instance, &condition->losses);
	if (!err)
		err = inspect_current(instance, condition);
	return err ? datapath_explain_read(instance, err, error) : 0;
}
