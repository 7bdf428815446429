// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "observe/stats.h"

/* What went back was counted anew. */
static uint64_t since(uint64_t later, uint64_t earlier)
{
	return later >= earlier ? later - earlier : later;
}

static void subtract_hits(struct hits *later, const struct hits *earlier)
{
	later->packets = since(later->packets, earlier->packets);
	later->bytes = since(later->bytes, earlier->bytes);
}

/* struct counters is made of 64-bit words alone. */
static void subtract_counters(struct counters *later, const struct counters *earlier)
{
	__u64 *to = (__u64 *)later;
	const __u64 *from = (const __u64 *)earlier;

	_Static_assert(sizeof(*later) % sizeof(*to) == 0, "words");
	for (size_t i = 0; i < sizeof(*later) / sizeof(*to); i++)
		to[i] = since(to[i], from[i]);
}

static int compare_vnis(const void *left, const void *right)
{
	const struct datapath_vni *a = left, *b = right;

	return (a->vni > b->vni) - (a->vni < b->vni);
}

struct rule_before {
	const struct datapath_rule *rule;
};

static int compare_rule_names(const void *left, const void *right)
{
	const struct rule_before *a = left, *b = right;

	return strcmp(a->rule->name, b->rule->name);
}

static int subtract_rules(struct datapath_stats *later, const struct datapath_stats *earlier)
{
	struct rule_before *sorted = calloc(earlier->rule_count + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < earlier->rule_count; i++)
		sorted[i].rule = &earlier->rules[i];
	qsort(sorted, earlier->rule_count, sizeof(*sorted), compare_rule_names);
	for (size_t i = 0; i < later->rule_count; i++) {
		const struct rule_before wanted = {&later->rules[i]};
		const struct rule_before *found = bsearch(&wanted, sorted, earlier->rule_count,
							  sizeof(*sorted), compare_rule_names);

		if (found)
			subtract_hits(&later->rules[i].hits, &found->rule->hits);
	}
	free(sorted);
	return 0;
}

int stats_subtract(struct datapath_stats *later, const struct datapath_stats *earlier)
{
	if (later->info.attached_at != earlier->info.attached_at)
		return 0;
	subtract_counters(&later->counters, &earlier->counters);
	subtract_hits(&later->other_vnis, &earlier->other_vnis);
	for (size_t i = 0; i < later->vni_count && earlier->vni_count; i++) {
		const struct datapath_vni *found =
			bsearch(&later->vnis[i], earlier->vnis, earlier->vni_count,
				sizeof(*earlier->vnis), compare_vnis);

		if (found)
			subtract_hits(&later->vnis[i].hits, &found->hits);
	}
	return subtract_rules(later, earlier);
}
