/* SPDX-License-Identifier: GPL-2.0-only */
/* Rates between two readings, as a line of `monitor` or as the dashboard of `run --verbose`. */
#ifndef OBSERVE_MONITOR_H
#define OBSERVE_MONITOR_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "observe/stats.h"

struct monitor {
	uint32_t target_pps;
	uint32_t warning_pps;
	bool color;
	struct timespec at; /* CLOCK_MONOTONIC, of the reading before; zero: there was none */
	struct stats_counters before;
};

struct monitor_rates {
	double seconds; /* between the readings; 0: this was the first */
	double pps;
	double vxlan_pps;
	double nat_percent; /* of inner packets */
	double redirected_pps;
	double bits_per_second;
	struct stats_counters fresh; /* what was counted since the reading before */
	struct stats_counters counters;
};

/* Takes a reading and makes it the one before. */
struct monitor_rates monitor_take(struct monitor *monitor, const struct counters *counters);

/* ANSI's colour of the line's STATUS; empty: it has none. */
const char *monitor_grade_color(const struct monitor *monitor, const struct monitor_rates *rates);
void monitor_print_header(FILE *stream);
void monitor_print_line(const struct monitor *monitor, const struct monitor_rates *rates,
			FILE *stream);
void monitor_print_dashboard(const struct monitor *monitor, const struct monitor_rates *rates,
			     FILE *stream);

#endif
