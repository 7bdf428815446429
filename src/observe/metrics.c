// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "observe/metrics.h"
#include "datapath/names.h"
#include "observe/stats.h"

#define PREFIX "vxlan_pipeline_"

#define LABEL_SIZE 40 /* holds every interface's name, escaped */

/* An interface's name. */
static const char *interface_label(const char *name, char *text)
{
	size_t used = 0;

	for (; *name && used + 3 < LABEL_SIZE; name++) {
		if (*name == '"' || *name == '\\')
			text[used++] = '\\';
		text[used++] = *name;
	}
	text[used] = '\0';
	return text;
}

/* A reason. It may hold what others have named: a byte that is no ASCII would spoil the scrape. */
static const char *reason_label(const char *reason, char *text, size_t size)
{
	size_t used = 0;

	for (; *reason && used + 3 < size; reason++) {
		if (*reason == '"' || *reason == '\\')
			text[used++] = '\\';
		text[used++] = isprint((unsigned char)*reason) ? *reason : '?';
	}
	text[used] = '\0';
	return text;
}

/* Begins a family: `type` is counter or gauge. */
static void family(FILE *stream, const char *name, const char *type, const char *help)
{
	fprintf(stream, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void gauge(FILE *stream, const char *name, double value, const char *help)
{
	family(stream, name, "gauge", help);
	fprintf(stream, PREFIX "%s %.15g\n", name, value);
}

static void print_build(FILE *stream)
{
	family(stream, "build_info", "gauge", "The version of this program; always 1.");
	fprintf(stream, PREFIX "build_info{version=\"%s\"} 1\n", VERSION);
}

static bool has_reason(const struct health *health, enum health_severity severity, const char *text)
{
	for (size_t i = 0; i < health->count; i++) {
		if (health->reasons[i].severity == severity &&
		    strcmp(health->reasons[i].text, text) == 0)
			return true;
	}
	return false;
}

/*
 * Each reason is a series. What changes between two readings is no part of it, and two reasons that
 * differ in nothing else are one.
 */
static void print_condition(const struct health *health, FILE *stream)
{
	char text[HEALTH_REASON_SIZE], label[2 * HEALTH_REASON_SIZE];
	struct health printed = {0};

	if (!health->count)
		return;
	family(stream, "condition", "gauge",
	       "1 for each reason why the condition is degraded or bad; numbers are shown as N.");
	for (size_t i = 0; i < health->count; i++) {
		const struct health_reason *reason = &health->reasons[i];

		health_reason_constant(reason, text, sizeof(text));
		if (has_reason(&printed, reason->severity, text))
			continue;
		health_add(&printed, reason->severity, "%s", text);
		fprintf(stream, PREFIX "condition{condition=\"%s\",reason=\"%s\"} 1\n",
			health_severity_name(reason->severity),
			reason_label(text, label, sizeof(label)));
	}
}

static void print_control(const struct metrics *metrics, FILE *stream)
{
	gauge(stream, "healthy", health_condition(metrics->health) != HEALTH_BAD,
	      "1 while /healthz answers 200.");
	print_condition(metrics->health, stream);
	gauge(stream, "draining", metrics->draining, "1 after `vxlan-pipeline drain`.");
	if (metrics->reloaded_at) {
		gauge(stream, "last_reload_timestamp_seconds", metrics->reloaded_at,
		      "When the last reload was tried.");
		gauge(stream, "last_reload_successful", !metrics->reload_failed,
		      "1 if it succeeded; a failed one changes nothing.");
	}
}

static void print_instance(const struct metrics *metrics, FILE *stream)
{
	const struct datapath_condition *condition = metrics->condition;
	const struct instance_info *info = &condition->info;
	char listen[LABEL_SIZE], forward[LABEL_SIZE];

	family(stream, "interface_info", "gauge", "Where packets come in and go out; always 1.");
	fprintf(stream, PREFIX "interface_info{listen=\"%s\",forward=\"%s\",mode=\"%s\"} 1\n",
		interface_label(info->listen, listen), interface_label(info->egress, forward),
		stats_mode(info));
	gauge(stream, "config_generation", info->generation,
	      "Number of the applied configuration; each reload makes a new one.");
	gauge(stream, "config_timestamp_seconds", info->configured_at / 1e9,
	      "When the configuration was applied.");
	gauge(stream, "attached_timestamp_seconds", info->attached_at / 1e9,
	      "When the datapath was attached; its counters begin there.");
	if (condition->beat_age_ms >= 0)
		gauge(stream, "heartbeat_age_seconds", condition->beat_age_ms / 1e3,
		      "Time since the control loop's last sign of life.");
	gauge(stream, "transmit_losses_counted", condition->losses.counted,
	      "1 while packets refused on the way out are counted, which takes a kernel with BTF.");
	gauge(stream, "target_pps", info->target_pps, "monitor.target_pps of the configuration.");
	gauge(stream, "warning_pps", info->warning_pps,
	      "monitor.warning_pps of the configuration.");
}

static void metrics_print_verdicts(const struct counters *counters, FILE *stream)
{
	family(stream, "packets_total", "counter",
	       "Frames that reached the program, by what became of them.");
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		fprintf(stream, PREFIX "packets_total{verdict=\"%s\"} %" PRIu64 "\n",
			verdict_name(v), (uint64_t)counters->verdict[v].packets);
	family(stream, "bytes_total", "counter", "The same in bytes of the frames as they came.");
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		fprintf(stream, PREFIX "bytes_total{verdict=\"%s\"} %" PRIu64 "\n", verdict_name(v),
			(uint64_t)counters->verdict[v].bytes);
	family(stream, "events_total", "counter", "What happened to packets on their way.");
	for (enum event event = 0; event < EVENT_COUNT; event++)
		fprintf(stream, PREFIX "events_total{event=\"%s\"} %" PRIu64 "\n",
			event_name(event), (uint64_t)counters->event[event]);
}

static void metrics_print_losses(const struct metrics *metrics, FILE *stream)
{
	char interface[LABEL_SIZE];

	if (!metrics->losses->count)
		return;
	family(stream, "lost_packets_total", "counter",
	       "Where packets were lost; what the mirrored host did not mirror, CloudWatch knows.");
	for (size_t i = 0; i < metrics->losses->count; i++) {
		const struct loss_row *row = &metrics->losses->rows[i];

		fprintf(stream,
			PREFIX "lost_packets_total{place=\"%s\",interface=\"%s\",reason=\"%s\"} "
			       "%" PRIu64 "\n",
			loss_place_name(row->place), interface_label(row->interface, interface),
			row->reason, row->packets);
	}
}

static void print_allowances(const struct metrics *metrics, FILE *stream)
{
	char label[LABEL_SIZE];

	if (!metrics->losses->allowance_count)
		return;
	family(stream, "conntrack_allowance_available", "gauge",
	       "Connections that the instance type can still track.");
	for (size_t i = 0; i < metrics->losses->allowance_count; i++)
		fprintf(stream,
			PREFIX "conntrack_allowance_available{interface=\"%s\"} %" PRIu64 "\n",
			interface_label(metrics->losses->allowances[i].interface, label),
			metrics->losses->allowances[i].connections);
}

static void print_next_hops(const struct datapath_condition *condition, FILE *stream)
{
	static const char *const states[NEXT_HOP_STATES] = {
		[NEXT_HOP_UNKNOWN] = "unknown",
		[NEXT_HOP_RESOLVED] = "resolved",
		[NEXT_HOP_LOCAL] = "local",
		[NEXT_HOP_FAILED] = "failed",
	};

	family(stream, "next_hops", "gauge",
	       "Targets of rules by what is known of their next hop (forward.next_hop: route).");
	for (size_t i = 0; i < NEXT_HOP_STATES; i++)
		fprintf(stream, PREFIX "next_hops{state=\"%s\"} %zu\n", states[i],
			condition->next_hops[i]);
}

static void print_vni_family(const struct datapath_stats *stats, const char *name, const char *help,
			     bool bytes, FILE *stream)
{
	const struct hits *others = &stats->other_vnis;

	family(stream, name, "counter", help);
	for (size_t i = 0; i < stats->vni_count; i++) {
		const struct hits *hits = &stats->vnis[i].hits;

		fprintf(stream, PREFIX "%s{vni=\"%" PRIu32 "\"} %" PRIu64 "\n", name,
			stats->vnis[i].vni, (uint64_t)(bytes ? hits->bytes : hits->packets));
	}
	if (others->packets)
		fprintf(stream, PREFIX "%s{vni=\"%s\"} %" PRIu64 "\n", name, STATS_OTHER_VNIS,
			(uint64_t)(bytes ? others->bytes : others->packets));
}

static void print_vnis(const struct datapath_stats *stats, FILE *stream)
{
	if (!stats->vni_count && !stats->other_vnis.packets)
		return;
	print_vni_family(stats, "vni_packets_total",
			 "Packets of a VNI; `other`: of those without a row of their own.", false,
			 stream);
	print_vni_family(stats, "vni_bytes_total", "The same in bytes of the frames as they came.",
			 true, stream);
}

static void metrics_print_rules(const struct datapath_stats *stats, FILE *stream)
{
	size_t count =
		stats->rule_count < METRICS_MAX_RULES ? stats->rule_count : METRICS_MAX_RULES;
	char to[ADDR_TEXT_SIZE];

	gauge(stream, "rules", stats->rule_count, "Rules of the applied configuration.");
	if (!count)
		return;
	family(stream, "rule_packets_total", "counter",
	       "Packets that a rule re-addressed, of the first 4096 rules.");
	for (size_t i = 0; i < count; i++)
		fprintf(stream, PREFIX "rule_packets_total{rule=\"%s\",to=\"%s\"} %" PRIu64 "\n",
			stats->rules[i].name, ip_endpoint_format(&stats->rules[i].to, to),
			(uint64_t)stats->rules[i].hits.packets);
	family(stream, "rule_bytes_total", "counter",
	       "The same in bytes of the frames as they came.");
	for (size_t i = 0; i < count; i++)
		fprintf(stream, PREFIX "rule_bytes_total{rule=\"%s\",to=\"%s\"} %" PRIu64 "\n",
			stats->rules[i].name, ip_endpoint_format(&stats->rules[i].to, to),
			(uint64_t)stats->rules[i].hits.bytes);
}

void metrics_print(const struct metrics *metrics, FILE *stream)
{
	print_build(stream);
	print_control(metrics, stream);
	if (metrics->stats->state == DATAPATH_ABSENT)
		return;
	print_instance(metrics, stream);
	metrics_print_verdicts(&metrics->stats->counters, stream);
	metrics_print_losses(metrics, stream);
	print_allowances(metrics, stream);
	print_next_hops(metrics->condition, stream);
	print_vnis(metrics->stats, stream);
	metrics_print_rules(metrics->stats, stream);
}
