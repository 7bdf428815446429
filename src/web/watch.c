// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "datapath/names.h"
#include "web/watch.h"

#define LEAST_US     500000   /* two readings closer than this make no rate */
#define ROWS_US      1000000  /* rules and VNIs are read once in so long, at most */
#define ROWS_SHARE   100      /* and take no more than this part of a CPU, */
#define ROWS_MOST_US 10000000 /* but are read once in so long, at least */
#define MARKS_US     59000000
#define UNWATCHED_US 15000000 /* nobody has looked for so long */

uint64_t watch_class_sum(const struct counters *counters, enum verdict_class class)
{
	uint64_t sum = 0;

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		if (verdict_class(v) == class)
			sum += counters->verdict[v].packets;
	}
	return sum;
}

double watch_rate(uint64_t before, uint64_t now, double seconds)
{
	return seconds > 0 && now >= before ? (double)(now - before) / seconds : NAN;
}

static double seconds_between(const struct watch_sample *before, const struct watch_sample *now)
{
	if (!before->at || !now->begun || before->begun != now->begun ||
	    now->at - before->at < LEAST_US)
		return 0;
	return (double)(now->at - before->at) / 1e6;
}

static void sample_take(struct watch_sample *sample, const struct counters *counters,
			const struct datapath_losses *losses, const struct instance_info *info)
{
	*sample = (struct watch_sample){.at = clock_us(),
					.begun = info->attached_boottime,
					.counters = *counters};
	for (enum loss kind = 0; losses->counted && kind < LOSS_COUNT; kind++)
		sample->losses[kind] = losses->of[kind].packets;
}

static uint64_t losses_sum(const struct watch_sample *sample)
{
	uint64_t sum = 0;

	for (enum loss kind = 0; kind < LOSS_COUNT; kind++)
		sum += sample->losses[kind];
	return sum;
}

static uint64_t series_sum(const struct watch_sample *sample, enum watch_series series)
{
	const struct counters *counters = &sample->counters;
	uint64_t forwarded = watch_class_sum(counters, VERDICT_CLASS_FORWARDED);
	uint64_t dropped = watch_class_sum(counters, VERDICT_CLASS_DROPPED) +
			   watch_class_sum(counters, VERDICT_CLASS_ERROR);

	switch (series) {
	case WATCH_received:
		return forwarded + dropped + watch_class_sum(counters, VERDICT_CLASS_KERNEL);
	case WATCH_sent:
		return forwarded;
	case WATCH_dropped:
		return dropped;
	default:
		return losses_sum(sample);
	}
}

static void add_point(struct watch *watch, const struct watch_point *point)
{
	watch->points[watch->next_point] = *point;
	watch->next_point = (watch->next_point + 1) % WATCH_POINTS;
	watch->point_count += watch->point_count < WATCH_POINTS;
}

/* Where ticks were left out, as while the host was suspended, nothing is known. */
static void add_gap(struct watch *watch, const struct watch_sample *now)
{
	static const struct watch_point unknown = {{NAN, NAN, NAN, NAN}};
	int64_t missed =
		watch->ticks[0].at ? (now->at - watch->ticks[0].at) / 1000 / WATCH_TICK_MS - 1 : 0;

	for (int64_t i = 0; i < missed && i < WATCH_POINTS; i++)
		add_point(watch, &unknown);
}

static void watch_forget_rows(struct watch_rows *rows)
{
	datapath_stats_clear(&rows->stats);
	free(rows->rules_before);
	free(rows->vnis_before);
	memset(rows, 0, sizeof(*rows));
}

static void forget_unwatched(struct watch_rows *rows)
{
	bool many = rows->stats.rule_count > 4096;

	if (!rows->read_at || clock_us() - rows->read_at < UNWATCHED_US)
		return;
	watch_forget_rows(rows);
	if (many)
		malloc_trim(0);
}

/* Once a minute, and when the counters began anew. */
static void add_mark(struct watch *watch, const struct watch_sample *now)
{
	struct watch_mark *marks = watch->marks;

	if (watch->mark_count && marks[0].begun != now->begun)
		watch->mark_count = 0;
	if (watch->mark_count && now->at - marks[watch->mark_count - 1].at < MARKS_US)
		return;
	if (watch->mark_count == WATCH_MARKS)
		memmove(marks, marks + 1, --watch->mark_count * sizeof(*marks));
	marks[watch->mark_count++] =
		(struct watch_mark){now->at, now->begun, now->counters.histograms};
}

double watch_histograms(const struct watch *watch, struct histograms *since)
{
	const struct watch_sample *now = &watch->live.now;
	const struct histograms *before = &watch->marks[0].histograms;

	*since = now->counters.histograms;
	if (!watch->mark_count || watch->marks[0].begun != now->begun)
		return 0;
	for (size_t i = 0; i < SIZE_BUCKETS; i++)
		since->size[i] -= before->size[i];
	for (size_t i = 0; i < TIME_BUCKETS; i++)
		since->time[i] -= before->time[i];
	return (double)(now->at - watch->marks[0].at) / 1e6;
}

void watch_tick(struct watch *watch)
{
	struct watch_sample now = {.at = clock_us()};
	struct datapath_losses losses = {0};
	struct watch_point point;
	struct counters counters;
	struct instance_info info;
	struct error ignored;
	double seconds;

	forget_unwatched(&watch->rows);
	if (datapath_read_counters(watch->instance, &counters, &info, &ignored) == 0) {
		datapath_read_losses(watch->instance, &losses);
		sample_take(&now, &counters, &losses, &info);
	}
	seconds = seconds_between(&watch->ticks[0], &now);
	for (enum watch_series i = 0; i < WATCH_SERIES_COUNT; i++)
		point.pps[i] = (float)watch_rate(series_sum(&watch->ticks[0], i),
						 series_sum(&now, i), seconds);
	if (watch->ticks[0].at) {
		add_gap(watch, &now);
		add_point(watch, &point);
	}
	if (now.begun)
		add_mark(watch, &now);
	watch->ticks[1] = watch->ticks[0];
	watch->ticks[0] = now;
}

/* The latest reading that is old enough to make a rate with. */
static const struct watch_sample *choose_before(const struct watch *watch,
						const struct watch_sample *now)
{
	const struct watch_sample *const found[] = {&watch->live.now, &watch->ticks[0],
						    &watch->ticks[1], &watch->live.before};
	const struct watch_sample *best = &watch->live.now;

	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		if (seconds_between(best, now) <= 0 ||
		    (seconds_between(found[i], now) > 0 && found[i]->at > best->at))
			best = found[i];
	}
	return best;
}

static int read_losses(struct watch_live *live, struct loss_table *losses)
{
	struct error ignored;

	memset(losses, 0, sizeof(*losses));
	if (live->condition.state == DATAPATH_ABSENT)
		return 0;
	return loss_collect(losses, &live->condition.counters, &live->condition, &ignored);
}

/* Since the table before; 0: that makes no rate of now. */
static double loss_seconds(const struct watch_live *live, int64_t now)
{
	int64_t since = now - live->losses_at;

	return live->losses_at && since >= LEAST_US && since < UNWATCHED_US ? (double)since / 1e6
									    : 0;
}

int watch_read_live(struct watch *watch)
{
	struct watch_live *live = &watch->live;
	struct loss_table losses;
	struct watch_sample now = {0};
	struct error ignored;
	int err = datapath_inspect(watch->instance, &live->condition, &ignored);

	if (!err)
		err = read_losses(live, &losses);
	if (err)
		return err;
	if (live->condition.state != DATAPATH_ABSENT)
		sample_take(&now, &live->condition.counters, &live->condition.losses,
			    &live->condition.info);
	live->before = *choose_before(watch, &now);
	live->seconds = seconds_between(&live->before, &now);
	live->now = now;
	live->losses_seconds = loss_seconds(live, now.at);
	live->losses_at = now.at;
	loss_table_clear(&live->losses_before);
	live->losses_before = live->losses;
	live->losses = losses;
	return 0;
}

/* Keeps of a reading what the next one is compared with. */
static void keep_rows(struct watch_rows *rows, struct datapath_stats *stats, int64_t now)
{
	bool same = rows->read_at && rows->stats.info.generation == stats->info.generation &&
		    rows->stats.info.attached_boottime == stats->info.attached_boottime &&
		    rows->stats.rule_count == stats->rule_count;
	struct hits *before =
		same ? reallocarray(NULL, stats->rule_count + 1, sizeof(*before)) : NULL;

	free(rows->rules_before);
	free(rows->vnis_before);
	rows->rules_before = before;
	rows->vnis_before = rows->stats.vnis;
	rows->vni_count_before = rows->stats.vni_count;
	rows->stats.vnis = NULL;
	rows->seconds = before ? (double)(now - rows->read_at) / 1e6 : 0;
	for (size_t i = 0; before && i < stats->rule_count; i++)
		before[i] = rows->stats.rules[i].hits;
	datapath_stats_clear(&rows->stats);
	rows->stats = *stats;
	rows->read_at = now;
}

/* However long it took, as on a host that was stopped meanwhile: what is shown is not too old. */
static int64_t rows_rest(int64_t took)
{
	int64_t rest = took * ROWS_SHARE;

	if (rest < ROWS_US)
		return ROWS_US;
	return rest < ROWS_MOST_US ? rest : ROWS_MOST_US;
}

int watch_read_rows(struct watch *watch)
{
	struct watch_rows *rows = &watch->rows;
	int64_t began = clock_us(), took;
	struct datapath_stats stats;
	struct error ignored;
	int err;

	if (rows->read_at && began < rows->good_until)
		return 0;
	err = datapath_read(watch->instance, &stats, &ignored);
	if (err)
		return err;
	keep_rows(rows, &stats, began);
	took = clock_us() - began;
	rows->good_until = began + rows_rest(took) - LEAST_US / 5;
	return 0;
}

const struct hits *watch_vni_before(const struct watch_rows *rows, uint32_t vni)
{
	size_t from = 0, to = rows->vni_count_before;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (rows->vnis_before[middle].vni == vni)
			return &rows->vnis_before[middle].hits;
		if (rows->vnis_before[middle].vni < vni)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

void watch_begin(struct watch *watch, const char *instance)
{
	memset(watch, 0, sizeof(*watch));
	watch->instance = instance;
}

void watch_end(struct watch *watch)
{
	watch_forget_rows(&watch->rows);
	loss_table_clear(&watch->live.losses);
	loss_table_clear(&watch->live.losses_before);
}
