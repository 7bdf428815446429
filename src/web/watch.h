/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readings of an instance from time to time, and the rates between them: as fresh as somebody looks at
 * them, and of the last ten minutes. Only the thread that makes documents uses it.
 */
#ifndef WEB_WATCH_H
#define WEB_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/datapath.h"
#include "observe/loss.h"

#define WATCH_TICK_MS 5000 /* how often watch_tick() is due: so far are the points apart */
#define WATCH_POINTS  120  /* ten minutes */

/* The rates of the last ten minutes, in packets a second. X(name, meaning) */
#define WATCH_SERIES(X)                                              \
	X(received, "frames that reached the program")               \
	X(sent, "packets with a verdict of the class forwarded")     \
	X(dropped, "those with one of the classes dropped or error") \
	X(lost, "refused on the way out, or dropped by the kernel that they were passed to")

enum watch_series {
#define X(name, meaning) WATCH_##name,
	WATCH_SERIES(X)
#undef X
		WATCH_SERIES_COUNT
};

struct watch_point {
	float pps[WATCH_SERIES_COUNT]; /* NAN: not known */
};

/* One reading of the counters. */
struct watch_sample {
	int64_t at;     /* CLOCK_MONOTONIC, us; 0: there is none */
	uint64_t begun; /* the counters began then: those of another instance are not compared */
	struct counters counters;
	uint64_t losses[LOSS_COUNT];
};

/* What the histograms were at some time; those of the last ten minutes are the difference. */
#define WATCH_MARKS 10 /* a minute apart */

struct watch_mark {
	int64_t at;     /* CLOCK_MONOTONIC, us */
	uint64_t begun; /* as of watch_sample */
	struct histograms histograms;
};

/* What /live.json tells of the datapath. */
struct watch_live {
	struct datapath_condition condition;
	struct loss_table losses, losses_before;
	struct watch_sample now, before;
	double seconds;        /* between the two; 0: there is no rate */
	int64_t losses_at;     /* CLOCK_MONOTONIC, us */
	double losses_seconds; /* likewise between losses_before and losses */
};

/* Rules and VNIs. They are read less often the longer that takes. */
struct watch_rows {
	struct datapath_stats stats;
	double seconds; /* since the reading before; 0: there is none of the same generation */
	struct hits *rules_before; /* as many as stats.rules, if there are seconds */
	struct datapath_vni *vnis_before;
	size_t vni_count_before;
	int64_t read_at; /* CLOCK_MONOTONIC, us */
	int64_t good_until;
};

struct watch {
	const char *instance;
	struct watch_sample ticks[2]; /* the newer one first */
	struct watch_point points[WATCH_POINTS];
	size_t next_point; /* where the next one goes */
	size_t point_count;
	struct watch_mark marks[WATCH_MARKS]; /* of the same counters, the oldest first */
	size_t mark_count;
	struct watch_live live;
	struct watch_rows rows;
};

/* `instance` stays the caller's. */
void watch_begin(struct watch *watch, const char *instance);
void watch_end(struct watch *watch);

/* Adds a point to the last ten minutes, and gives back the memory of what nobody looks at any more. */
void watch_tick(struct watch *watch);
/* Reads anew; 0 or -errno. state DATAPATH_ABSENT: nothing else is known. */
int watch_read_live(struct watch *watch);
/* Reads anew, if what there is has grown old; 0 or -errno. */
int watch_read_rows(struct watch *watch);

/* Of the class forwarded, dropped, ... */
uint64_t watch_class_sum(const struct counters *counters, enum verdict_class class);

/* The histograms since then, at most ten minutes; returns since when, in seconds. */
double watch_histograms(const struct watch *watch, struct histograms *since);

/* Per second; NAN: not known, as there are no seconds or the counter went back. */
double watch_rate(uint64_t before, uint64_t now, double seconds);
/* The row before of a VNI; NULL: it had none. */
const struct hits *watch_vni_before(const struct watch_rows *rows, uint32_t vni);

#endif
