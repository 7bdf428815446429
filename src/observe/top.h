/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules and VNIs with the most packets between two readings. */
#ifndef OBSERVE_TOP_H
#define OBSERVE_TOP_H

#include "datapath/datapath.h"

struct top_row {
	size_t index; /* into stats->rules or stats->vnis of the later reading */
	double pps;
	double bits_per_second;
};

/*
 * How many rows there are, at most `max`, the largest rate first; of equal ones the lower index. Only rows
 * with packets. None where the rules are others than before.
 */
size_t top_rules(struct top_row *rows, size_t max, const struct datapath_stats *now,
		 const struct datapath_stats *before, double seconds);
size_t top_vnis(struct top_row *rows, size_t max, const struct datapath_stats *now,
		const struct datapath_stats *before, double seconds);

#endif
