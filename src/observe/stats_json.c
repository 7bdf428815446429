// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <time.h>

#include "datapath/histogram.h"
#include "datapath/names.h"
#include "observe/sent.h"
#include "observe/stats.h"

/* A count; of an interval the rate. */
static json_t *count_json(uint64_t count, double seconds)
{
	return seconds > 0 ? json_real((double)count / seconds) : json_integer((json_int_t)count);
}

static json_t *hits_json(const struct hits *hits, double seconds)
{
	return json_pack("{s:o, s:o}", "packets", count_json(hits->packets, seconds), "bytes",
			 count_json(hits->bytes, seconds));
}

static json_t *counters_json(const struct stats_counters *counters, double seconds)
{
	json_t *object = json_object();

#define X(name, meaning) json_object_set_new(object, #name, count_json(counters->name, seconds));
	STATS_COUNTERS(X)
#undef X
	return object;
}

static json_t *verdicts_json(const struct counters *counters, double seconds)
{
	json_t *object = json_object();

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		json_object_set_new(object, verdict_name(v),
				    hits_json(&counters->verdict[v], seconds));
	return object;
}

static json_t *events_json(const struct counters *counters, double seconds)
{
	json_t *object = json_object();

	for (enum event event = 0; event < EVENT_COUNT; event++)
		json_object_set_new(object, event_name(event),
				    count_json(counters->event[event], seconds));
	return object;
}

static json_t *sent_json(const struct counters *counters, double seconds)
{
	struct sent sent = sent_derive(counters);

	return json_pack("{s:o, s:o, s:o}", "packets", count_json(sent.packets, seconds), "bytes",
			 count_json(sent.bytes, seconds), "fragments",
			 count_json(sent.fragments, seconds));
}

/* `bound` 0: what no bound holds */
static void add_bucket(json_t *buckets, uint64_t bound, uint64_t packets)
{
	json_array_append_new(buckets,
			      json_pack("{s:o, s:I}", "up_to",
					bound ? json_integer((json_int_t)bound) : json_null(),
					"packets", (json_int_t)packets));
}

/* Counts also of an interval. */
static json_t *sizes_json(const struct histograms *histograms)
{
	json_t *buckets = json_array();

	for (size_t i = 0; i <= HISTOGRAM_SIZE_BOUNDS; i++)
		add_bucket(buckets, i < HISTOGRAM_SIZE_BOUNDS ? histogram_size_bound[i] : 0,
			   histograms->size[i]);
	return json_pack("{s:o, s:I}", "buckets", buckets, "sum", (json_int_t)histograms->size_sum);
}

static json_t *times_json(const struct histograms *histograms)
{
	json_t *buckets = json_array();

	for (unsigned int i = 0; i < TIME_BUCKETS; i++)
		add_bucket(buckets, i < TIME_BUCKETS - 1 ? (uint64_t)TIME_FIRST_NS << i : 0,
			   histograms->time[i]);
	return json_pack("{s:o, s:I}", "buckets", buckets, "sum", (json_int_t)histograms->time_sum);
}

static json_t *vnis_json(const struct datapath_stats *stats, double seconds)
{
	json_t *array = json_array();

	for (size_t i = 0; i < stats->vni_count; i++) {
		json_t *vni = hits_json(&stats->vnis[i].hits, seconds);

		json_object_set_new(vni, "vni", json_integer(stats->vnis[i].vni));
		json_array_append_new(array, vni);
	}
	if (stats->other_vnis.packets) {
		json_t *others = hits_json(&stats->other_vnis, seconds);

		json_object_set_new(others, "vni", json_string(STATS_OTHER_VNIS));
		json_array_append_new(array, others);
	}
	return array;
}

static json_t *rules_json(const struct datapath_stats *stats, double seconds)
{
	json_t *array = json_array();
	char to[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < stats->rule_count; i++) {
		json_t *rule = hits_json(&stats->rules[i].hits, seconds);

		json_object_set_new(rule, "rule", json_integer(i + 1));
		json_object_set_new(rule, "name", json_string(stats->rules[i].name));
		json_object_set_new(rule, "to",
				    json_string(ip_endpoint_format(&stats->rules[i].to, to)));
		json_array_append_new(array, rule);
	}
	return array;
}

static json_t *health_json(const struct health *health)
{
	enum health_severity condition = health_condition(health);
	json_t *reasons = json_array();

	for (size_t i = 0; i < health->count; i++)
		json_array_append_new(reasons, json_string(health->reasons[i].text));
	return json_pack("{s:b, s:s, s:o}", "healthy", condition != HEALTH_BAD, "condition",
			 health_severity_name(condition), "reasons", reasons);
}

static json_t *next_hops_json(const struct datapath_condition *condition)
{
	json_t *object = json_object();

	for (enum next_hop_state state = 0; state < NEXT_HOP_STATES; state++)
		json_object_set_new(object, stats_next_hop_state(state),
				    json_integer((json_int_t)condition->next_hops[state]));
	return object;
}

json_t *stats_json(const struct stats_view *view)
{
	const struct datapath_stats *stats = view->stats;
	const struct counters *counted = &stats->counters;
	struct stats_counters counters = stats_derive(counted);
	double seconds = view->seconds;
	time_t since = (time_t)(stats->info.attached_at / 1000000000);
	char text[32];
	struct tm utc;
	json_t *document;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&since, &utc));
	document =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			  "s:b, s:o, s:o, s:o}",
			  "instance", view->instance, "interface", stats->info.listen, "target",
			  stats->info.egress, "mode", stats_mode(&stats->info), "since", text,
			  "uptime_seconds", stats_uptime(&stats->info), "health",
			  health_json(view->health), "counters", counters_json(&counters, seconds),
			  "verdicts", verdicts_json(counted, seconds), "events",
			  events_json(counted, seconds), "sent", sent_json(counted, seconds),
			  "packet_size_bytes", sizes_json(&counted->histograms),
			  "program_duration_ns", times_json(&counted->histograms), "losses",
			  loss_json(view->losses), "transmit_losses_counted",
			  view->condition->losses.counted, "next_hops",
			  next_hops_json(view->condition), "vnis", vnis_json(stats, seconds),
			  "rules", rules_json(stats, seconds));
	if (document && seconds > 0)
		json_object_set_new(document, "seconds", json_real(seconds));
	return document;
}
