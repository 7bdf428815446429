// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include "base/boot_id.h"
#include "datapath/names.h"
#include "observe/cloudwatch.h"
#include "observe/drops.h"
#include "observe/sent.h"

/* Counters of the file begin with one of these words, which says what they end with. */
#define OF_DATAPATH  "datapath/"  /* stop, and a reboot */
#define OF_INTERFACE "interface/" /* a reboot, or the interface made anew */

#define KEY_SIZE 96

static void set(json_t *counters, uint64_t value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void set(json_t *counters, uint64_t value, const char *format, ...)
{
	char key[KEY_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(key, sizeof(key), format, args);
	va_end(args);
	json_object_set_new(counters, key, json_integer((json_int_t)(value & INT64_MAX)));
}

/* Each verdict by itself, since a reload may change why it drops. */
static void set_datapath(json_t *counters, const struct counters *from)
{
	struct sent sent = sent_derive(from);

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		set(counters, from->verdict[v].packets, OF_DATAPATH "verdict/%s", verdict_name(v));
	set(counters, sent.packets, OF_DATAPATH "sent_packets");
	set(counters, sent.bytes, OF_DATAPATH "sent_bytes");
}

/* Each row by itself, since one of them may begin anew. What the program dropped is a verdict. */
static void set_losses(json_t *counters, const struct loss_table *losses)
{
	for (size_t i = 0; i < losses->count; i++) {
		const struct loss_row *row = &losses->rows[i];

		if (row->place == LOSS_PLACE_NIC)
			set(counters, row->packets, OF_INTERFACE "%s/%s", row->interface,
			    row->reason);
		else if (row->place != LOSS_PLACE_PROGRAM)
			set(counters, row->packets, OF_DATAPATH "lost/%s", row->reason);
	}
}

json_t *cloudwatch_state(const struct metrics *metrics)
{
	json_t *counters = json_object();

	if (metrics->stats->state != DATAPATH_ABSENT) {
		set_datapath(counters, &metrics->stats->counters);
		set_losses(counters, metrics->losses);
	}
	return json_pack("{s:i, s:i, s:I, s:o}", "layout", CLOUDWATCH_LAYOUT, "boot", boot_id(),
			 "attached_at", (json_int_t)metrics->condition->info.attached_at,
			 "counters", counters);
}

/* What deltas are made from. */
struct deltas {
	const json_t *now, *sent; /* the counters of both */
	bool rebooted;            /* since they were sent */
	bool attached;            /* anew, likewise */
	json_t *figures;          /* the result: name to sum */
};

static json_int_t number_of(const json_t *state, const char *key)
{
	return json_integer_value(json_object_get(state, key));
}

static bool begins_with(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

/* What was added to one counter since. It never is less than nothing. */
static json_int_t delta_of(const struct deltas *deltas, const char *key)
{
	json_int_t now = number_of(deltas->now, key), sent = number_of(deltas->sent, key);
	bool of_interface = begins_with(key, OF_INTERFACE);

	if (deltas->rebooted || (deltas->attached && !of_interface))
		return now;
	/* an interface that was not looked at has counted for who knows how long */
	if (!json_object_get(deltas->sent, key))
		return of_interface ? 0 : now;
	if (now >= sent)
		return now - sent;
	/* it began anew; or it was read while it was counted, and is a few bytes less */
	return now < sent / 2 ? now : 0;
}

static void add_delta(const struct deltas *deltas, const char *figure, const char *key)
{
	json_int_t sum = number_of(deltas->figures, figure) + delta_of(deltas, key);

	json_object_set_new(deltas->figures, figure, json_integer(sum));
}

static void add_verdict(const struct deltas *deltas, enum verdict verdict,
			const struct datapath_condition *condition)
{
	enum drop_cause cause = drop_cause_of(verdict, condition);
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), OF_DATAPATH "verdict/%s", verdict_name(verdict));
	if (verdict_class(verdict) != VERDICT_CLASS_KERNEL)
		add_delta(deltas, "ReceivedPackets", key);
	if (cause == DROP_CONFIGURATION)
		add_delta(deltas, "DroppedPackets", key);
	else if (cause == DROP_FAULT)
		add_delta(deltas, "FailedPackets", key);
}

static void add_counters(const struct deltas *deltas, const struct metrics *metrics)
{
	const char *key;
	json_t *value;

	if (metrics->stats->state == DATAPATH_ABSENT)
		return;
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		add_verdict(deltas, v, metrics->condition);
	add_delta(deltas, "SentPackets", OF_DATAPATH "sent_packets");
	add_delta(deltas, "SentBytes", OF_DATAPATH "sent_bytes");
	json_object_foreach ((json_t *)deltas->now, key, value) {
		if (begins_with(key, OF_DATAPATH "lost/"))
			add_delta(deltas, "LostPackets", key);
		else if (begins_with(key, OF_INTERFACE))
			add_delta(deltas, "NicLostPackets", key);
	}
}

static void add_gauges(json_t *figures, const struct metrics *metrics)
{
	enum health_severity condition = health_condition(metrics->health);
	const size_t *next_hops = metrics->condition->next_hops;
	size_t unreachable = next_hops[NEXT_HOP_UNKNOWN] + next_hops[NEXT_HOP_FAILED];

	json_object_set_new(figures, "Healthy", json_integer(condition != HEALTH_BAD));
	json_object_set_new(figures, "Degraded", json_integer(condition == HEALTH_DEGRADED));
	json_object_set_new(figures, "DaemonRunning", json_integer(metrics->daemon_running));
	json_object_set_new(figures, "ReloadFailed", json_integer(metrics->reload_failed));
	if (metrics->stats->state != DATAPATH_ABSENT)
		json_object_set_new(figures, "UnreachableTargets",
				    json_integer((json_int_t)unreachable));
}

static const char *unit_of(const char *figure)
{
	static const char *const flags[] = {"Healthy", "Degraded", "DaemonRunning", "ReloadFailed"};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(figure, flags[i]) == 0)
			return "None";
	}
	return strcmp(figure, "SentBytes") == 0 ? "Bytes" : "Count";
}

/* Appends every figure under one dimension; NULL: under none. */
static void append_figures(json_t *data, const json_t *figures, const char *dimension,
			   const char *value)
{
	const char *name;
	json_t *number;

	json_object_foreach ((json_t *)figures, name, number) {
		json_t *datum = json_pack("{s:s, s:O, s:s}", "MetricName", name, "Value", number,
					  "Unit", unit_of(name));

		if (dimension)
			json_object_set_new(datum, "Dimensions",
					    json_pack("[{s:s, s:s}]", "Name", dimension, "Value",
						      value));
		json_array_append_new(data, datum);
	}
}

json_t *cloudwatch_document(const struct metrics *metrics, const json_t *now, const json_t *sent,
			    const struct cloudwatch_dimensions *dimensions)
{
	json_t *figures = json_object(), *data = json_array();
	const struct deltas deltas = {
		.now = json_object_get(now, "counters"),
		.sent = json_object_get(sent, "counters"),
		.rebooted = number_of(now, "boot") != number_of(sent, "boot"),
		.attached = number_of(now, "attached_at") != number_of(sent, "attached_at"),
		.figures = figures,
	};

	add_gauges(figures, metrics);
	if (sent)
		add_counters(&deltas, metrics);
	if (dimensions->group)
		append_figures(data, figures, "AutoScalingGroupName", dimensions->group);
	if (dimensions->instance)
		append_figures(data, figures, "InstanceId", dimensions->instance);
	if (!dimensions->group && !dimensions->instance)
		append_figures(data, figures, NULL, NULL);
	json_decref(figures);
	return json_pack("{s:s, s:o}", "Namespace", CLOUDWATCH_NAMESPACE, "MetricData", data);
}
