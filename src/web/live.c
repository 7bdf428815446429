// SPDX-License-Identifier: GPL-2.0-only
/* /live.json: what the page shows. Its size does not depend on how many rules, VNIs or losses there are. */
#include <math.h>
#include <string.h>

#include "base/printable.h"
#include "datapath/names.h"
#include "datapath/histogram.h"
#include "observe/drops.h"
#include "observe/sent.h"
#include "observe/stats.h"
#include "web/render.h"

#define MAX_LOSSES 24 /* rows that have packets */

static json_t *health_json(const struct render_state *state)
{
	enum health_severity condition = health_condition(&state->health);
	char text[HEALTH_REASON_SIZE];
	json_t *reasons = json_array();

	for (size_t i = 0; i < state->health.count; i++) {
		const struct health_reason *reason = &state->health.reasons[i];

		json_array_append_new(reasons,
				      json_pack("{s:s, s:s}", "severity",
						health_severity_name(reason->severity), "text",
						printable_copy(text, sizeof(text), reason->text)));
	}
	return json_pack("{s:s, s:b, s:o, s:b, s:o}", "condition", health_severity_name(condition),
			 "healthy", condition != HEALTH_BAD, "for_seconds",
			 render_rate(state->condition_seconds), "draining", state->draining,
			 "reasons", reasons);
}

static const char *class_name(enum verdict_class class)
{
	static const char *const names[] = {
		[VERDICT_CLASS_KERNEL] = "kernel",
		[VERDICT_CLASS_DROPPED] = "dropped",
		[VERDICT_CLASS_ERROR] = "error",
		[VERDICT_CLASS_FORWARDED] = "forwarded",
	};

	return names[class];
}

static json_t *live_verdicts_json(const struct watch_live *live)
{
	json_t *object = json_object();

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		const struct hits *now = &live->now.counters.verdict[v];
		const struct hits *before = &live->before.counters.verdict[v];

		enum drop_cause cause = drop_cause_of(v, &live->condition);
		json_t *pps = render_rate(watch_rate(before->packets, now->packets, live->seconds));

		json_object_set_new(object, verdict_name(v),
				    json_pack("{s:s, s:s?, s:s, s:I, s:I, s:o}", "class",
					      class_name(verdict_class(v)), "cause",
					      cause == DROP_NONE ? NULL : drop_cause_name(cause),
					      "meaning", verdict_meaning(v), "packets",
					      (json_int_t)now->packets, "bytes",
					      (json_int_t)now->bytes, "pps", pps));
	}
	return object;
}

/* The counters of `stats`, or their rates. */
static json_t *live_counters_json(const struct watch_live *live, bool rates)
{
	struct stats_counters now = stats_derive(&live->now.counters);
	struct stats_counters before = stats_derive(&live->before.counters);
	json_t *object = json_object();

#define X(name, meaning)                                                                          \
	json_object_set_new(object, #name,                                                        \
			    rates ? render_rate(watch_rate(before.name, now.name, live->seconds)) \
				  : json_integer((json_int_t)now.name));
	STATS_COUNTERS(X)
#undef X
	return object;
}

/* The packets of the same row in the table before; NULL: it is new. */
static const uint64_t *loss_before(const struct watch_live *live, const struct loss_row *row)
{
	for (size_t i = 0; i < live->losses_before.count; i++) {
		const struct loss_row *before = &live->losses_before.rows[i];

		if (before->place == row->place && strcmp(before->reason, row->reason) == 0 &&
		    strcmp(before->interface, row->interface) == 0)
			return &before->packets;
	}
	return NULL;
}

static json_t *live_loss_json(const struct watch_live *live, const struct loss_row *row)
{
	const uint64_t *before = loss_before(live, row);
	char interface[64], reason[128];

	return json_pack(
		"{s:s, s:s?, s:s, s:I, s:o, s:s}", "place", loss_place_name(row->place),
		"interface",
		*row->interface ? printable_copy(interface, sizeof(interface), row->interface)
				: NULL,
		"reason", printable_copy(reason, sizeof(reason), row->reason), "packets",
		(json_int_t)row->packets, "pps",
		render_rate(before ? watch_rate(*before, row->packets, live->losses_seconds) : NAN),
		"meaning", row->meaning);
}

/* Rows that have packets; verdicts stand elsewhere. */
static json_t *live_losses_json(const struct watch_live *live, size_t *omitted)
{
	json_t *array = json_array();

	*omitted = 0;
	for (size_t i = 0; i < live->losses.count; i++) {
		const struct loss_row *row = &live->losses.rows[i];

		if (row->place == LOSS_PLACE_PROGRAM || !row->packets)
			continue;
		if (json_array_size(array) == MAX_LOSSES)
			++*omitted;
		else
			json_array_append_new(array, live_loss_json(live, row));
	}
	return array;
}

static json_t *next_hops_json(const struct datapath_condition *condition)
{
	json_t *unresolved = json_array();
	char target[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < condition->unresolved_count; i++) {
		const struct datapath_unresolved *row = &condition->unresolved[i];

		json_array_append_new(unresolved, json_pack("{s:s, s:I, s:s?, s:b}", "target",
							    ip_address_format(&row->target, target),
							    "rule", (json_int_t)row->rule, "name",
							    *row->name ? row->name : NULL, "failed",
							    row->failed));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "resolved",
			 (json_int_t)condition->next_hops[NEXT_HOP_RESOLVED], "unknown",
			 (json_int_t)condition->next_hops[NEXT_HOP_UNKNOWN], "local",
			 (json_int_t)condition->next_hops[NEXT_HOP_LOCAL], "failed",
			 (json_int_t)condition->next_hops[NEXT_HOP_FAILED], "unresolved",
			 unresolved);
}

static json_t *live_sent_json(const struct watch_live *live)
{
	struct sent now = sent_derive(&live->now.counters);
	struct sent before = sent_derive(&live->before.counters);

	return json_pack("{s:I, s:I, s:I, s:o, s:o}", "packets", (json_int_t)now.packets, "bytes",
			 (json_int_t)now.bytes, "fragments", (json_int_t)now.fragments, "pps",
			 render_rate(watch_rate(before.packets, now.packets, live->seconds)),
			 "bits_per_second",
			 render_rate(watch_rate(before.bytes, now.bytes, live->seconds) * 8));
}

/* The counts of a histogram's buckets: of those with a bound, and of the one without. */
static json_t *buckets_json(const __u64 *counts, size_t bounds, uint32_t (*bound_of)(size_t))
{
	json_t *limits = json_array(), *array = json_array();

	for (size_t i = 0; i < bounds; i++)
		json_array_append_new(limits, json_integer(bound_of(i)));
	for (size_t i = 0; i <= bounds; i++)
		json_array_append_new(array, json_integer((json_int_t)counts[i]));
	return json_pack("{s:o, s:o}", "bounds", limits, "counts", array);
}

static uint32_t live_size_bound(size_t bucket)
{
	return histogram_size_bound[bucket];
}

static uint32_t live_time_bound(size_t bucket)
{
	return (uint32_t)TIME_FIRST_NS << bucket;
}

static json_t *histograms_json(const struct watch *watch)
{
	struct histograms since;
	double seconds = watch_histograms(watch, &since);

	return json_pack("{s:o, s:o, s:o}", "for_seconds", render_rate(seconds), "size_bytes",
			 buckets_json(since.size, HISTOGRAM_SIZE_BOUNDS, live_size_bound),
			 "time_ns", buckets_json(since.time, TIME_BUCKETS - 1, live_time_bound));
}

static json_t *history_json(const struct watch *watch)
{
	static const char *const names[WATCH_SERIES_COUNT] = {
#define X(name, meaning) [WATCH_##name] = #name "_pps",
		WATCH_SERIES(X)
#undef X
	};
	json_t *object = json_object();

	json_object_set_new(object, "interval_seconds", json_integer(WATCH_TICK_MS / 1000));
	for (enum watch_series series = 0; series < WATCH_SERIES_COUNT; series++) {
		json_t *array = json_array();

		for (size_t i = watch->point_count; i > 0; i--) {
			size_t place = (watch->next_point + WATCH_POINTS - i) % WATCH_POINTS;

			json_array_append_new(array, render_rate(watch->points[place].pps[series]));
		}
		json_object_set_new(object, names[series], array);
	}
	return object;
}

static void add_datapath(json_t *document, const struct watch *watch)
{
	const struct watch_live *live = &watch->live;
	const struct instance_info *info = &live->condition.info;
	char listen[64], egress[64];
	size_t omitted;
	json_t *losses = live_losses_json(live, &omitted);
	json_t *part = json_pack(
		"{s:s, s:s, s:s, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:o, s:o, s:o, s:o, "
		"s:o}",
		"interface", printable_copy(listen, sizeof(listen), info->listen), "target",
		printable_copy(egress, sizeof(egress), info->egress), "mode", stats_mode(info),
		"generation", (json_int_t)info->generation, "uptime_seconds", stats_uptime(info),
		"interval_seconds", render_rate(live->seconds > 0 ? live->seconds : NAN),
		"counters", live_counters_json(live, false), "rates",
		live_counters_json(live, true), "verdicts", live_verdicts_json(live), "losses",
		losses, "losses_omitted", (json_int_t)omitted, "losses_counted",
		live->condition.losses.counted, "next_hops", next_hops_json(&live->condition),
		"sent", live_sent_json(live), "histograms", histograms_json(watch), "rules",
		render_top_rules(&watch->rows), "vnis", render_top_vnis(&watch->rows));

	json_object_update(document, part);
	json_decref(part);
}

int render_live(struct watch *watch, const struct render_state *state, struct http_page *page)
{
	json_t *document;
	int err = watch_read_live(watch);

	if (!err)
		err = watch_read_rows(watch);
	if (err)
		return err;
	document = json_pack("{s:s, s:s, s:o, s:o}", "instance", state->instance, "version",
			     VERSION, "health", health_json(state), "history", history_json(watch));
	if (document && watch->live.condition.state != DATAPATH_ABSENT)
		add_datapath(document, watch);
	return render_json(document, page);
}
