/* SPDX-License-Identifier: GPL-2.0-only */
/* From what is pinned of an instance to the numbers that users see: contract of `stats --json`. */
#ifndef OBSERVE_STATS_H
#define OBSERVE_STATS_H

#include <stdio.h>

#include <jansson.h>

#include "datapath/datapath.h"
#include "observe/health.h"
#include "observe/loss.h"

/*
 * The counters of `stats`, in the order they are shown. X(name, meaning)
 * The datapath counts verdicts and events only; these are sums of them.
 */
#define STATS_COUNTERS(X)                                                                \
	X(total_packets, "frames that reached the program")                              \
	X(vxlan_packets, "frames with a valid VXLAN header")                             \
	X(inner_packets, "inner packets that the rules were asked about")                \
	X(nat_applied, "packets that a rule re-addressed")                               \
	X(df_cleared, "packets whose DF was cleared")                                    \
	X(forwarded, "packets that left: redirected, transmitted, fragmented or passed") \
	X(redirected, "packets sent out of forward.interface")                           \
	X(errors, "malformed, bad_vxlan, truncated, no_route and error")                 \
	X(bytes_processed, "bytes of all frames as they arrived")

struct stats_counters {
#define X(name, meaning) uint64_t name;
	STATS_COUNTERS(X)
#undef X
};

/* Names the row that counts all VNIs without a row of their own; it is printed only if it has packets. */
#define STATS_OTHER_VNIS "other"

struct stats_counters stats_derive(const struct counters *counters);

/* "native" or "generic" */
const char *stats_mode(const struct instance_info *info);
double stats_uptime(const struct instance_info *info); /* seconds since attached */

const char *stats_next_hop_state(enum next_hop_state state); /* "resolved" */

/* What `stats` shows. */
struct stats_view {
	const char *instance;
	const struct datapath_stats *stats;
	const struct datapath_condition *condition;
	const struct health *health;
	const struct loss_table *losses;
	double seconds; /* what *stats counted in so many: shown per second; 0: all that it counted */
};

/*
 * Leaves in *later what was counted since *earlier, row by row: a VNI by its number, a rule by its name.
 * What was attached anew in between counts from zero. 0 or -ENOMEM.
 */
int stats_subtract(struct datapath_stats *later, const struct datapath_stats *earlier);

/* The document of `stats --json`; NULL: no memory. */
json_t *stats_json(const struct stats_view *view);
void stats_print(const struct stats_view *view, FILE *stream);
/* NAME VALUE lines in capitals, as the old vxlan_loader printed them. */
void stats_dump(const struct datapath_stats *stats, FILE *stream);

#endif
