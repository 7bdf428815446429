// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "datapath/names.h"
#include "observe/stats.h"

static uint64_t packets(const struct counters *counters, enum verdict verdict)
{
	return counters->verdict[verdict].packets;
}

static uint64_t class_sum(const struct counters *counters, enum verdict_class class)
{
	uint64_t sum = 0;

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		if (verdict_class(v) == class)
			sum += packets(counters, v);
	}
	return sum;
}

struct stats_counters stats_derive(const struct counters *counters)
{
	uint64_t inner_malformed = counters->event[EVENT_INNER_MALFORMED];
	struct stats_counters sums = {0};

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		sums.total_packets += packets(counters, v);
		sums.bytes_processed += counters->verdict[v].bytes;
	}
	/* what stopped before a valid VXLAN header was seen, and what before the rules */
	sums.vxlan_packets = sums.total_packets - packets(counters, VERDICT_NOT_TUNNEL) -
			     packets(counters, VERDICT_OUTER_FRAGMENT) -
			     packets(counters, VERDICT_SOURCE_DENIED) -
			     packets(counters, VERDICT_BAD_VXLAN) -
			     (packets(counters, VERDICT_MALFORMED) - inner_malformed);
	sums.inner_packets = sums.vxlan_packets - packets(counters, VERDICT_UNKNOWN_VNI) -
			     packets(counters, VERDICT_INNER_NOT_IP) -
			     packets(counters, VERDICT_TRUNCATED) - inner_malformed;
	sums.nat_applied = counters->event[EVENT_NAT_APPLIED];
	sums.df_cleared = counters->event[EVENT_DF_CLEARED];
	sums.forwarded = class_sum(counters, VERDICT_CLASS_FORWARDED);
	sums.redirected = packets(counters, VERDICT_REDIRECTED);
	sums.errors = class_sum(counters, VERDICT_CLASS_ERROR);
	return sums;
}

const char *stats_next_hop_state(enum next_hop_state state)
{
	static const char *const states[NEXT_HOP_STATES] = {
		[NEXT_HOP_UNKNOWN] = "unknown",
		[NEXT_HOP_RESOLVED] = "resolved",
		[NEXT_HOP_LOCAL] = "local",
		[NEXT_HOP_FAILED] = "failed",
	};

	return states[state];
}

const char *stats_mode(const struct instance_info *info)
{
	return info->generic ? "generic" : "native";
}

double stats_uptime(const struct instance_info *info)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + now.tv_nsec / 1e9 - info->attached_boottime / 1e9;
}

static void dump_line(FILE *stream, const char *name, uint64_t value)
{
	for (; *name; name++)
		fputc(toupper((unsigned char)*name), stream);
	fprintf(stream, " %" PRIu64 "\n", value);
}

void stats_dump(const struct datapath_stats *stats, FILE *stream)
{
	struct stats_counters counters = stats_derive(&stats->counters);

#define X(name, meaning) dump_line(stream, #name, counters.name);
	STATS_COUNTERS(X)
#undef X
}
