// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "observe/top.h"

/* The rows so far, in order. */
struct top {
	struct top_row *rows;
	size_t count;
	size_t max;
	double seconds;
};

static void top_offer(struct top *top, size_t index, const struct hits *now,
		      const struct hits *before)
{
	struct top_row row = {.index = index};
	size_t at;

	/* what went back was counted anew */
	if (now->packets <= before->packets || now->bytes < before->bytes || !top->max)
		return;
	row.pps = (double)(now->packets - before->packets) / top->seconds;
	row.bits_per_second = 8 * (double)(now->bytes - before->bytes) / top->seconds;
	at = top->count;
	if (at == top->max && top->rows[at - 1].pps >= row.pps)
		return;
	if (at < top->max)
		top->count++;
	else
		at--;
	for (; at && top->rows[at - 1].pps < row.pps; at--)
		top->rows[at] = top->rows[at - 1];
	top->rows[at] = row;
}

size_t top_rules(struct top_row *rows, size_t max, const struct datapath_stats *now,
		 const struct datapath_stats *before, double seconds)
{
	struct top top = {.rows = rows, .max = max, .seconds = seconds};

	if (now->info.generation != before->info.generation ||
	    now->rule_count != before->rule_count)
		return 0;
	for (size_t i = 0; i < now->rule_count; i++)
		top_offer(&top, i, &now->rules[i].hits, &before->rules[i].hits);
	return top.count;
}

static int top_compare_vnis(const void *left, const void *right)
{
	const struct datapath_vni *a = left, *b = right;

	return (a->vni > b->vni) - (a->vni < b->vni);
}

size_t top_vnis(struct top_row *rows, size_t max, const struct datapath_stats *now,
		const struct datapath_stats *before, double seconds)
{
	struct top top = {.rows = rows, .max = max, .seconds = seconds};
	static const struct hits none;

	for (size_t i = 0; i < now->vni_count; i++) {
		const struct datapath_vni *found =
			before->vni_count ? bsearch(&now->vnis[i], before->vnis, before->vni_count,
						    sizeof(*before->vnis), top_compare_vnis)
					  : NULL;

		top_offer(&top, i, &now->vnis[i].hits, found ? &found->hits : &none);
	}
	return top.count;
}
