// SPDX-License-Identifier: GPL-2.0-only
/* The tables of `stats`. */
#include <inttypes.h>
#include <string.h>

#include "datapath/histogram.h"
#include "datapath/names.h"
#include "observe/stats.h"

#define BAR 40 /* characters of the longest bar */

/* A count, or of an interval the rate. */
static void print_count(FILE *stream, int width, uint64_t count, double seconds)
{
	if (seconds > 0)
		fprintf(stream, " %*.1f", width, (double)count / seconds);
	else
		fprintf(stream, " %*" PRIu64, width, count);
}

/* Of an interval only rows in which something was counted. */
static void print_hits(const struct stats_view *view, const char *name, const struct hits *hits,
		       const char *meaning, FILE *stream)
{
	if (view->seconds > 0 && !hits->packets)
		return;
	fprintf(stream, "  %-24s", name);
	print_count(stream, 16, hits->packets, view->seconds);
	print_count(stream, 18, hits->bytes, view->seconds);
	fprintf(stream, "  %s\n", meaning);
}

static void print_row(const struct stats_view *view, const char *name, uint64_t count,
		      const char *meaning, FILE *stream)
{
	fprintf(stream, "  %-24s", name);
	print_count(stream, 16, count, view->seconds);
	fprintf(stream, "  %s\n", meaning);
}

static void stats_print_health(const struct health *health, FILE *stream)
{
	fprintf(stream, "health %s\n", health_severity_name(health_condition(health)));
	for (size_t i = 0; i < health->count; i++)
		fprintf(stream, "  %s\n", health->reasons[i].text);
}

static void print_counters(const struct stats_view *view, FILE *stream)
{
	struct stats_counters counters = stats_derive(&view->stats->counters);

	fprintf(stream, "\nCounters%s\n", view->seconds > 0 ? " per second" : "");
#define X(name, meaning) print_row(view, #name, counters.name, meaning, stream);
	STATS_COUNTERS(X)
#undef X
}

static void stats_print_verdicts(const struct stats_view *view, FILE *stream)
{
	const struct counters *counters = &view->stats->counters;
	bool rates = view->seconds > 0;

	fprintf(stream, "\n%-26s %16s %18s\n", "Verdicts", rates ? "packets/s" : "packets",
		rates ? "bytes/s" : "bytes");
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		if (counters->verdict[v].packets)
			print_hits(view, verdict_name(v), &counters->verdict[v], verdict_meaning(v),
				   stream);
	}
}

static void stats_print_events(const struct stats_view *view, FILE *stream)
{
	const char *title = "\nEvents\n";

	for (enum event event = 0; event < EVENT_COUNT; event++) {
		if (!view->stats->counters.event[event])
			continue;
		fputs(title, stream);
		title = "";
		print_row(view, event_name(event), view->stats->counters.event[event],
			  event_meaning(event), stream);
	}
}

/* One row a bucket that has packets: the count, its share, and a bar as long as that. */
static void print_bucket(const char *name, uint64_t packets, uint64_t total, FILE *stream)
{
	static const char bar[BAR + 1] = "########################################";

	if (packets)
		fprintf(stream, "  %-24s %16" PRIu64 " %17.1f%%  %.*s\n", name, packets,
			100.0 * (double)packets / (double)total,
			(int)(BAR * (double)packets / (double)total + 0.5), bar);
}

static uint64_t sum_of(const __u64 *buckets, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += buckets[i];
	return sum;
}

static void stats_print_sizes(const struct histograms *histograms, FILE *stream)
{
	uint64_t total = sum_of(histograms->size, HISTOGRAM_SIZE_BOUNDS + 1);
	char name[40];

	if (!total)
		return;
	fprintf(stream, "\n%-26s %16s %18s\n", "Sizes of frames", "packets", "share");
	for (size_t i = 0; i < HISTOGRAM_SIZE_BOUNDS; i++) {
		snprintf(name, sizeof(name), "up to %" PRIu32 " bytes", histogram_size_bound[i]);
		print_bucket(name, histograms->size[i], total, stream);
	}
	print_bucket("larger", histograms->size[HISTOGRAM_SIZE_BOUNDS], total, stream);
	fprintf(stream, "  %-24s %16.0f bytes\n", "on average",
		(double)histograms->size_sum / (double)total);
}

static void stats_print_times(const struct histograms *histograms, FILE *stream)
{
	uint64_t total = sum_of(histograms->time, TIME_BUCKETS);
	char name[40];

	if (!total)
		return;
	fprintf(stream, "\n%-26s %16s %18s\n", "Time in the program", "1 in 1024", "share");
	_Static_assert(TIMED_ONE_IN == 1024, "the title");
	for (unsigned int i = 0; i < TIME_BUCKETS - 1; i++) {
		snprintf(name, sizeof(name), "up to %" PRIu64 " ns", (uint64_t)TIME_FIRST_NS << i);
		print_bucket(name, histograms->time[i], total, stream);
	}
	print_bucket("longer", histograms->time[TIME_BUCKETS - 1], total, stream);
	fprintf(stream, "  %-24s %16.0f ns\n", "on average",
		(double)histograms->time_sum / (double)total);
}

/* As they are now, and since each of them began to count, of an interval, too. */
static void stats_print_losses(const struct stats_view *view, FILE *stream)
{
	const struct loss_table *losses = view->losses;
	const char *title = "\nLost, all in all\n";
	char name[64];

	for (size_t i = 0; i < losses->count; i++) {
		const struct loss_row *row = &losses->rows[i];

		if (!row->packets || row->place == LOSS_PLACE_PROGRAM)
			continue;
		fputs(title, stream);
		title = "";
		snprintf(name, sizeof(name), "%s %s", loss_place_name(row->place), row->interface);
		fprintf(stream, "  %-24s %16" PRIu64 "  %s: %s\n", name, row->packets, row->reason,
			row->meaning);
	}
}

static void stats_print_next_hops(const struct datapath_condition *condition, FILE *stream)
{
	const char *title = "\nNext hops\n";

	for (enum next_hop_state state = 0; state < NEXT_HOP_STATES; state++) {
		if (!condition->next_hops[state])
			continue;
		fprintf(stream, "%s  %-24s %16zu\n", title, stats_next_hop_state(state),
			condition->next_hops[state]);
		title = "";
	}
}

static void stats_print_vnis(const struct stats_view *view, FILE *stream)
{
	const struct datapath_stats *stats = view->stats;
	char name[16];

	if (stats->vni_count || stats->other_vnis.packets)
		fprintf(stream, "\nVNIs\n");
	for (size_t i = 0; i < stats->vni_count; i++) {
		snprintf(name, sizeof(name), "%" PRIu32, stats->vnis[i].vni);
		print_hits(view, name, &stats->vnis[i].hits, "", stream);
	}
	if (stats->other_vnis.packets)
		print_hits(view, STATS_OTHER_VNIS, &stats->other_vnis,
			   "VNIs without a row: beyond the first 4096, or not listed any more",
			   stream);
}

static void stats_print_rules(const struct stats_view *view, FILE *stream)
{
	const struct datapath_stats *stats = view->stats;
	char meaning[ADDR_TEXT_SIZE + 32], to[ADDR_TEXT_SIZE];

	if (stats->rule_count)
		fprintf(stream, "\nRules\n");
	for (size_t i = 0; i < stats->rule_count; i++) {
		snprintf(meaning, sizeof(meaning), "rule %zu, to %s", i + 1,
			 ip_endpoint_format(&stats->rules[i].to, to));
		print_hits(view, stats->rules[i].name, &stats->rules[i].hits, meaning, stream);
	}
}

void stats_print(const struct stats_view *view, FILE *stream)
{
	const struct datapath_stats *stats = view->stats;

	fprintf(stream, "instance %s: %s -> %s, %s mode, %.0f s\n", view->instance,
		stats->info.listen, stats->info.egress, stats_mode(&stats->info),
		stats_uptime(&stats->info));
	if (view->seconds > 0)
		fprintf(stream, "counted during %.1f s\n", view->seconds);
	stats_print_health(view->health, stream);
	print_counters(view, stream);
	stats_print_verdicts(view, stream);
	stats_print_events(view, stream);
	stats_print_sizes(&stats->counters.histograms, stream);
	stats_print_times(&stats->counters.histograms, stream);
	stats_print_losses(view, stream);
	stats_print_next_hops(view->condition, stream);
	stats_print_vnis(view, stream);
	stats_print_rules(view, stream);
}
