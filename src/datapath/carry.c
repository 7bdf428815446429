// SPDX-License-Identifier: GPL-2.0-only
/* What one generation counted by rule and by VNI goes on in the next one, and so do its rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

struct sorted_rule {
	const struct datapath_rule *rule;
};

/* The rules of the generation before, in two orders. */
struct old_rules {
	struct sorted_rule *by_name;
	struct sorted_rule *by_content; /* what they match, and where they send it */
	bool *taken;                    /* by their places in `first` */
	const struct datapath_rule *first;
	size_t count;
};

static int compare_names(const void *left, const void *right)
{
	const struct sorted_rule *a = left, *b = right;

	return strcmp(a->rule->name, b->rule->name);
}

static int compare_contents(const void *left, const void *right)
{
	const struct sorted_rule *a = left, *b = right;

	return memcmp(a->rule, b->rule, offsetof(struct datapath_rule, hits));
}

static void old_rules_clear(struct old_rules *old)
{
	free(old->by_name);
	free(old->by_content);
	free(old->taken);
}

static int old_rules_sort(struct old_rules *old, const struct datapath_stats *stats)
{
	*old = (struct old_rules){
		.by_name = calloc(stats->rule_count, sizeof(*old->by_name)),
		.by_content = calloc(stats->rule_count, sizeof(*old->by_content)),
		.taken = calloc(stats->rule_count, sizeof(*old->taken)),
		.first = stats->rules,
		.count = stats->rule_count,
	};
	if (!old->by_name || !old->by_content || !old->taken) {
		old_rules_clear(old);
		return -ENOMEM;
	}
	for (size_t i = 0; i < old->count; i++)
		old->by_name[i].rule = old->by_content[i].rule = &stats->rules[i];
	qsort(old->by_name, old->count, sizeof(*old->by_name), compare_names);
	qsort(old->by_content, old->count, sizeof(*old->by_content), compare_contents);
	return 0;
}

/* Gives the rule what the one that the search finds counted, unless another rule has that already. */
static bool take_counts(struct old_rules *old, const struct datapath_rule *rule,
			const struct sorted_rule *sorted,
			int (*compare)(const void *, const void *), struct hits *base)
{
	const struct sorted_rule wanted = {rule};
	const struct sorted_rule *found =
		bsearch(&wanted, sorted, old->count, sizeof(*sorted), compare);

	if (!found || old->taken[found->rule - old->first])
		return false;
	old->taken[found->rule - old->first] = true;
	*base = found->rule->hits;
	return true;
}

/*
 * A rule goes on from what its name counted before, whatever was inserted in front of it. One whose
 * name is new, because it was given one or lost it, goes on from the rule that matched the same and
 * sent it to the same target, if no rule has that one's name.
 */
static int carry_hits(struct hits *base, const struct datapath_stats *before,
		      const struct datapath_stats *new)
{
	bool *named = calloc(new->rule_count, sizeof(*named));
	struct old_rules old;
	int err = named ? old_rules_sort(&old, before) : -ENOMEM;

	for (size_t i = 0; !err && i < new->rule_count; i++)
		named[i] = take_counts(&old, &new->rules[i], old.by_name, compare_names, &base[i]);
	for (size_t i = 0; !err && i < new->rule_count; i++) {
		if (!named[i])
			take_counts(&old, &new->rules[i], old.by_content, compare_contents,
				    &base[i]);
	}
	if (!err)
		old_rules_clear(&old);
	free(named);
	return err;
}

static int carry_rules(const char *instance, uint32_t to, const struct datapath_stats *old,
		       const struct datapath_stats *new)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, to, "rule_base");
	struct hits *base;
	size_t size;
	int err;

	if (fd < 0)
		return fd;
	if (!old->rule_count || !new->rule_count)
		return 0;
	base = datapath_map_array(fd, PROT_READ | PROT_WRITE, &size);
	if (base == MAP_FAILED)
		return -errno;
	err = carry_hits(base, old, new);
	munmap(base, size);
	return err;
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
	struct datapath_stats old = {0};

	if (skeleton->rodata->config.vni_mode == VNI_ANY && change->previous && nothing &&
	    datapath_read_generation(change->instance, change->previous, &old) == 0) {
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
