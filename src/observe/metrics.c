// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "observe/metrics.h"
#include "observe/metrics_text.h"
#include "observe/metrics_traffic.h"
#include "observe/stats.h"

static void print_build(FILE *stream)
{
	metrics_family(stream, "build_info", "gauge", "The version of this program; always 1.");
	fprintf(stream, METRICS_PREFIX "build_info{version=\"%s\"} 1\n", VERSION);
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
	metrics_family(
		stream, "condition", "gauge",
		"1 for each reason why the condition is degraded or bad; numbers are shown as N.");
	for (size_t i = 0; i < health->count; i++) {
		const struct health_reason *reason = &health->reasons[i];

		health_reason_constant(reason, text, sizeof(text));
		if (has_reason(&printed, reason->severity, text))
			continue;
		health_add(&printed, reason->severity, "%s", text);
		fprintf(stream, METRICS_PREFIX "condition{condition=\"%s\",reason=\"%s\"} 1\n",
			health_severity_name(reason->severity),
			metrics_label(text, label, sizeof(label)));
	}
}

/* Seconds since 1970; before anything is applied, when the daemon was started. */
static double last_reload(const struct metrics *metrics)
{
	if (metrics->reloaded_at)
		return metrics->reloaded_at;
	if (metrics->condition->info.configured_at)
		return metrics->condition->info.configured_at / 1e9;
	return metrics->process ? metrics->process->started_at : 0;
}

static void print_control(const struct metrics *metrics, FILE *stream)
{
	metrics_gauge(stream, "healthy", health_condition(metrics->health) != HEALTH_BAD,
		      "1 while /healthz answers 200.");
	print_condition(metrics->health, stream);
	metrics_gauge(stream, "draining", metrics->draining, "1 after `vxlan-pipeline drain`.");
	metrics_gauge(stream, "daemon_running", metrics->daemon_running,
		      "1 while a daemon of this instance runs.");
	metrics_gauge(stream, "last_reload_timestamp_seconds", last_reload(metrics),
		      "When the last reload was tried; before there is one, when the "
		      "configuration was applied.");
	metrics_gauge(stream, "last_reload_successful", !metrics->reload_failed,
		      "1 if the last reload succeeded; a failed one changes nothing.");
}

static void print_heartbeat(const struct datapath_condition *condition, FILE *stream)
{
	double age = condition->beat_age_ms / 1e3;
	struct timespec now;

	if (condition->beat_age_ms < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	metrics_gauge(stream, "heartbeat_timestamp_seconds", now.tv_sec + now.tv_nsec / 1e9 - age,
		      "When the control loop gave its last sign of life.");
	metrics_gauge(stream, "heartbeat_age_seconds", age,
		      "Deprecated: use time() - vxlan_pipeline_heartbeat_timestamp_seconds.");
}

static void print_instance(const struct metrics *metrics, FILE *stream)
{
	const struct datapath_condition *condition = metrics->condition;
	const struct instance_info *info = &condition->info;
	char listen[METRICS_LABEL_SIZE], forward[METRICS_LABEL_SIZE];

	metrics_family(stream, "interface_info", "gauge",
		       "Where packets come in and go out; always 1.");
	fprintf(stream,
		METRICS_PREFIX "interface_info{listen=\"%s\",forward=\"%s\",mode=\"%s\"} 1\n",
		metrics_label(info->listen, listen, sizeof(listen)),
		metrics_label(info->egress, forward, sizeof(forward)), stats_mode(info));
	metrics_gauge(stream, "config_generation", info->generation,
		      "Number of the applied configuration; each reload makes a new one.");
	metrics_gauge(stream, "config_timestamp_seconds", info->configured_at / 1e9,
		      "When the configuration was applied.");
	metrics_gauge(stream, "attached_timestamp_seconds", info->attached_at / 1e9,
		      "When the datapath was attached; its counters begin there.");
	print_heartbeat(condition, stream);
	metrics_gauge(stream, "transmit_losses_counted", condition->losses.counted,
		      "1 while packets refused on the way out are counted, which takes a kernel "
		      "with BTF.");
	metrics_gauge(stream, "target_packets_per_second", info->target_pps,
		      "monitor.target_pps of the configuration.");
	metrics_gauge(stream, "warning_packets_per_second", info->warning_pps,
		      "monitor.warning_pps of the configuration.");
	metrics_gauge(stream, "target_pps", info->target_pps,
		      "Deprecated: use vxlan_pipeline_target_packets_per_second.");
	metrics_gauge(stream, "warning_pps", info->warning_pps,
		      "Deprecated: use vxlan_pipeline_warning_packets_per_second.");
}

static void metrics_print_losses(const struct metrics *metrics, FILE *stream)
{
	char interface[METRICS_LABEL_SIZE];

	if (!metrics->losses->count)
		return;
	metrics_family(stream, "lost_packets_total", "counter",
		       "Where packets were lost. place=\"program\" is deprecated: use "
		       "vxlan_pipeline_dropped_packets_total.");
	for (size_t i = 0; i < metrics->losses->count; i++) {
		const struct loss_row *row = &metrics->losses->rows[i];

		fprintf(stream,
			METRICS_PREFIX
			"lost_packets_total{place=\"%s\",interface=\"%s\",reason=\"%s\"} "
			"%" PRIu64 "\n",
			loss_place_name(row->place),
			metrics_label(row->interface, interface, sizeof(interface)), row->reason,
			row->packets);
	}
}

static void print_allowances(const struct metrics *metrics, FILE *stream)
{
	char label[METRICS_LABEL_SIZE];

	if (!metrics->losses->allowance_count)
		return;
	metrics_family(stream, "conntrack_allowance_available", "gauge",
		       "Connections that the instance type can still track.");
	for (size_t i = 0; i < metrics->losses->allowance_count; i++)
		fprintf(stream,
			METRICS_PREFIX "conntrack_allowance_available{interface=\"%s\"} %" PRIu64
				       "\n",
			metrics_label(metrics->losses->allowances[i].interface, label,
				      sizeof(label)),
			metrics->losses->allowances[i].connections);
}

static void print_next_hops(const struct datapath_condition *condition, FILE *stream)
{
	metrics_family(
		stream, "next_hops", "gauge",
		"Targets of rules by what is known of their next hop (forward.next_hop: route).");
	for (size_t i = 0; i < NEXT_HOP_STATES; i++)
		fprintf(stream, METRICS_PREFIX "next_hops{state=\"%s\"} %zu\n",
			stats_next_hop_state(i), condition->next_hops[i]);
}

static size_t series_of(size_t count, size_t most)
{
	return count < most ? count : most;
}

static void print_vni_family(const struct datapath_stats *stats, const char *name, const char *help,
			     bool bytes, FILE *stream)
{
	const struct hits *others = &stats->other_vnis;

	metrics_family(stream, name, "counter", help);
	for (size_t i = 0; i < series_of(stats->vni_count, METRICS_MAX_VNIS); i++) {
		const struct hits *hits = &stats->vnis[i].hits;

		fprintf(stream, METRICS_PREFIX "%s{vni=\"%" PRIu32 "\"} %" PRIu64 "\n", name,
			stats->vnis[i].vni, (uint64_t)(bytes ? hits->bytes : hits->packets));
	}
	if (others->packets)
		fprintf(stream, METRICS_PREFIX "%s{vni=\"%s\"} %" PRIu64 "\n", name,
			STATS_OTHER_VNIS, (uint64_t)(bytes ? others->bytes : others->packets));
}

static void print_vnis(const struct datapath_stats *stats, FILE *stream)
{
	metrics_gauge(stream, "vni_series_omitted",
		      stats->vni_count - series_of(stats->vni_count, METRICS_MAX_VNIS),
		      "VNIs that have no series of their own, as there are too many.");
	if (!stats->vni_count && !stats->other_vnis.packets)
		return;
	print_vni_family(stats, "vni_packets_total",
			 "Packets of a VNI; `other`: of those without a row of their own.", false,
			 stream);
	print_vni_family(stats, "vni_bytes_total",
			 "Bytes of a VNI's frames as they came; `other`: of those without a row of "
			 "their own.",
			 true, stream);
}

static void metrics_print_rules(const struct datapath_stats *stats, FILE *stream)
{
	size_t count = series_of(stats->rule_count, METRICS_MAX_RULES);
	char to[ADDR_TEXT_SIZE];

	metrics_gauge(stream, "rules", stats->rule_count, "Rules of the applied configuration.");
	metrics_gauge(stream, "rule_series_omitted", stats->rule_count - count,
		      "Rules that have no series of their own: those behind the first 1024.");
	if (!count)
		return;
	metrics_family(stream, "rule_packets_total", "counter",
		       "Packets that a rule re-addressed.");
	for (size_t i = 0; i < count; i++)
		fprintf(stream,
			METRICS_PREFIX "rule_packets_total{rule=\"%s\",to=\"%s\"} %" PRIu64 "\n",
			stats->rules[i].name, ip_endpoint_format(&stats->rules[i].to, to),
			(uint64_t)stats->rules[i].hits.packets);
	metrics_family(stream, "rule_bytes_total", "counter",
		       "Bytes of the frames that a rule re-addressed, as they came.");
	for (size_t i = 0; i < count; i++)
		fprintf(stream,
			METRICS_PREFIX "rule_bytes_total{rule=\"%s\",to=\"%s\"} %" PRIu64 "\n",
			stats->rules[i].name, ip_endpoint_format(&stats->rules[i].to, to),
			(uint64_t)stats->rules[i].hits.bytes);
}

void metrics_print(const struct metrics *metrics, FILE *stream)
{
	print_build(stream);
	print_control(metrics, stream);
	if (metrics->process)
		process_print_metrics(metrics->process, stream);
	if (metrics->stats->state == DATAPATH_ABSENT)
		return;
	print_instance(metrics, stream);
	metrics_print_traffic(&metrics->stats->counters, metrics->condition, stream);
	metrics_print_losses(metrics, stream);
	print_allowances(metrics, stream);
	print_next_hops(metrics->condition, stream);
	print_vnis(metrics->stats, stream);
	metrics_print_rules(metrics->stats, stream);
}
