/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbers of an instance as Prometheus text, version 0.0.4. */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "datapath/datapath.h"
#include "observe/health.h"
#include "observe/loss.h"
#include "observe/process.h"

/* So many rules and VNIs have series of their own; all of them are in /stats.json. */
#define METRICS_MAX_RULES 1024
#define METRICS_MAX_VNIS  1024

/* What the metrics are made of. */
struct metrics {
	const struct datapath_stats *stats; /* state DATAPATH_ABSENT: nothing is known of it */
	const struct datapath_condition *condition;
	const struct loss_table *losses;
	const struct health *health;
	const struct process_usage *process; /* of the daemon; NULL: not known */
	bool daemon_running;
	bool draining;
	int64_t reloaded_at; /* CLOCK_REALTIME, seconds; of the last reload; 0: none */
	bool reload_failed;  /* did it fail? */
};

void metrics_print(const struct metrics *metrics, FILE *stream);

#endif
