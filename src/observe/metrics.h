/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbers of an instance as Prometheus text, version 0.0.4. */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "datapath/datapath.h"
#include "observe/health.h"
#include "observe/loss.h"

/* So many rules have series of their own; all of them are in /stats.json. */
#define METRICS_MAX_RULES 4096

/* What the metrics are made of. */
struct metrics {
	const struct datapath_stats *stats; /* state DATAPATH_ABSENT: nothing is known of it */
	const struct datapath_condition *condition;
	const struct loss_table *losses;
	const struct health *health;
	bool draining;
	int64_t reloaded_at; /* CLOCK_REALTIME, seconds; of the last reload that was tried; 0: none */
	bool reload_failed; /* did it fail? */
};

void metrics_print(const struct metrics *metrics, FILE *stream);

#endif
