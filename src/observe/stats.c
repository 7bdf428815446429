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

static json_t *hits_json(const struct hits *hits)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)hits->packets, "bytes",
			 (json_int_t)hits->bytes);
}

static json_t *counters_json(const struct stats_counters *counters)
{
	json_t *object = json_object();

#define X(name, meaning) json_object_set_new(object, #name, json_integer(counters->name));
	STATS_COUNTERS(X)
#undef X
	return object;
}

static json_t *verdicts_json(const struct counters *counters)
{
	json_t *object = json_object();

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		json_object_set_new(object, verdict_name(v), hits_json(&counters->verdict[v]));
	return object;
}

static json_t *vnis_json(const struct datapath_stats *stats)
{
	json_t *array = json_array();

	for (size_t i = 0; i < stats->vni_count; i++) {
		json_t *vni = hits_json(&stats->vnis[i].hits);

		json_object_set_new(vni, "vni", json_integer(stats->vnis[i].vni));
		json_array_append_new(array, vni);
	}
	if (stats->other_vnis.packets) {
		json_t *others = hits_json(&stats->other_vnis);

		json_object_set_new(others, "vni", json_string(STATS_OTHER_VNIS));
		json_array_append_new(array, others);
	}
	return array;
}

static json_t *rules_json(const struct datapath_stats *stats)
{
	json_t *array = json_array();
	char to[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < stats->rule_count; i++) {
		json_t *rule = hits_json(&stats->rules[i].hits);

		json_object_set_new(rule, "rule", json_integer(i + 1));
		json_object_set_new(rule, "name", json_string(stats->rules[i].name));
		json_object_set_new(rule, "to",
				    json_string(ip_endpoint_format(&stats->rules[i].to, to)));
		json_array_append_new(array, rule);
	}
	return array;
}

json_t *stats_json(const char *instance, const struct datapath_stats *stats)
{
	struct stats_counters counters = stats_derive(&stats->counters);

	return json_pack("{s:s, s:s, s:s, s:s, s:f, s:o, s:o, s:o, s:o}", "instance", instance,
			 "interface", stats->info.listen, "target", stats->info.egress, "mode",
			 stats_mode(&stats->info), "uptime_seconds", stats_uptime(&stats->info),
			 "counters", counters_json(&counters), "verdicts",
			 verdicts_json(&stats->counters), "vnis", vnis_json(stats), "rules",
			 rules_json(stats));
}

static void print_hits(FILE *stream, const char *name, const struct hits *hits, const char *meaning)
{
	fprintf(stream, "  %-24s %16" PRIu64 " %18" PRIu64 "  %s\n", name, (uint64_t)hits->packets,
		(uint64_t)hits->bytes, meaning);
}

static void print_counters(FILE *stream, const struct stats_counters *counters)
{
	fprintf(stream, "Counters\n");
#define X(name, meaning) \
	fprintf(stream, "  %-24s %16" PRIu64 "  %s\n", #name, counters->name, meaning);
	STATS_COUNTERS(X)
#undef X
}

static void stats_print_verdicts(FILE *stream, const struct counters *counters)
{
	fprintf(stream, "\nVerdicts                            packets              bytes\n");
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		if (packets(counters, v))
			print_hits(stream, verdict_name(v), &counters->verdict[v],
				   verdict_meaning(v));
	}
}

static void stats_print_vnis(FILE *stream, const struct datapath_stats *stats)
{
	char name[16];

	if (stats->vni_count || stats->other_vnis.packets)
		fprintf(stream, "\nVNIs\n");
	for (size_t i = 0; i < stats->vni_count; i++) {
		snprintf(name, sizeof(name), "%" PRIu32, stats->vnis[i].vni);
		print_hits(stream, name, &stats->vnis[i].hits, "");
	}
	if (stats->other_vnis.packets)
		print_hits(stream, STATS_OTHER_VNIS, &stats->other_vnis,
			   "VNIs without a row: beyond the first 4096, or not listed any more");
}

void stats_print(const char *instance, const struct datapath_stats *stats, FILE *stream)
{
	struct stats_counters counters = stats_derive(&stats->counters);
	char meaning[ADDR_TEXT_SIZE + 32], to[ADDR_TEXT_SIZE];

	fprintf(stream, "instance %s: %s -> %s, %s mode, %.0f s\n\n", instance, stats->info.listen,
		stats->info.egress, stats_mode(&stats->info), stats_uptime(&stats->info));
	print_counters(stream, &counters);
	stats_print_verdicts(stream, &stats->counters);
	stats_print_vnis(stream, stats);
	if (stats->rule_count)
		fprintf(stream, "\nRules\n");
	for (size_t i = 0; i < stats->rule_count; i++) {
		snprintf(meaning, sizeof(meaning), "rule %zu, to %s", i + 1,
			 ip_endpoint_format(&stats->rules[i].to, to));
		print_hits(stream, stats->rules[i].name, &stats->rules[i].hits, meaning);
	}
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
