// SPDX-License-Identifier: GPL-2.0-only
/* What one generation counted by rule and by VNI goes on in the next one, and so do its rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

static int compare_rules(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct datapath_rule, hits));
}

/* Gives each rule of `to` what the same rule (match and target) counted in the generation before. */
static int carry_rules(const char *instance, uint32_t to, struct datapath_stats *old,
		       const struct datapath_stats *new)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, to, "rule_base");
	struct hits *base;
	size_t size;

	if (fd < 0)
		return fd;
	if (!old->rule_count || !new->rule_count)
		return 0;
	base = datapath_map_array(fd, PROT_READ | PROT_WRITE, &size);
	if (base == MAP_FAILED)
		return -errno;
	qsort(old->rules, old->rule_count, sizeof(*old->rules), compare_rules);
	for (size_t i = 0; i < new->rule_count; i++) {
		const struct datapath_rule *found =
			bsearch(&new->rules[i], old->rules, old->rule_count, sizeof(*old->rules),
				compare_rules);

		if (found)
			base[i] = found->hits;
	}
	munmap(base, size);
	return 0;
}

/* Copies what one generation counted by rule and by VNI into the next one's base. Idempotent. */
static int carry(const char *instance, uint32_t from, uint32_t to)
{
	struct datapath_stats old = {0}, new = {0};
	int err = datapath_read_generation(instance, from, &old);

	if (!err)
		err = datapath_read_generation(instance, to, &new);
	if (!err)
		err = carry_rules(instance, to, &old, &new);
	if (!err)
		err = datapath_carry_vnis(instance, to, &old);
	datapath_stats_clear(&old);
	datapath_stats_clear(&new);
	return err;
}

/* Did a generation count anything? One that was pinned and never applied did not. */
static bool counted_anything(const char *instance, uint32_t generation)
{
	struct datapath_stats stats = {0};
	bool counted;

	if (datapath_read_generation(instance, generation, &stats))
		return false; /* not pinned whole, so never applied */
	counted = stats.other_vnis.packets;
	for (size_t i = 0; i < stats.vni_count; i++)
		counted = counted || stats.vnis[i].hits.packets;
	datapath_stats_clear(&stats);
	return counted;
}

void datapath_reserve_vnis(const struct datapath_change *change)
{
	const struct pipeline_bpf *skeleton = change->datapath->skeleton;
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(skeleton->maps.vni_any);
	_cleanup_free_ struct hits *nothing = cpus > 0 ? calloc(cpus, sizeof(*nothing)) : NULL;
	_cleanup_free_ struct pipeline_config *config = calloc(1, sizeof(*config));
	struct datapath_stats old = {0};

	if (skeleton->rodata->config.vni_mode == VNI_ANY && change->previous && nothing && config &&
	    datapath_read_constants(change->instance, change->previous, config) == 0 &&
	    datapath_read_vnis(change->instance, change->previous, &old, config) == 0) {
		for (size_t i = 0; i < old.vni_count; i++) {
			if (old.vnis[i].hits.packets)
				bpf_map_update_elem(fd, &old.vnis[i].vni, nothing, BPF_NOEXIST);
		}
	}
	datapath_stats_clear(&old);
}

/*
 * Carries counts from the recorded generation to the newest one, step by step through all that have
 * counted: a daemon that was killed after it swapped programs has not carried its own. Idempotent.
 */
int datapath_carry_counters(const struct datapath_change *change)
{
	const uint32_t newest = change->datapath->generation;
	uint32_t from = change->recorded ? change->recorded : change->previous, to = from;
	int err = 0;

	if (!change->previous)
		return 0;
	while (!err && to != newest) {
		to = datapath_generation_after(change->instance, to);
		if (!to)
			return -ENOENT;
		if (to != newest && !counted_anything(change->instance, to))
			continue;
		err = carry(change->instance, from, to);
		from = to;
	}
	return err;
}
