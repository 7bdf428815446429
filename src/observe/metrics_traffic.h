/* SPDX-License-Identifier: GPL-2.0-only */
/* The families that the datapath's counters give: verdicts, drops, what left, histograms. */
#ifndef OBSERVE_METRICS_TRAFFIC_H
#define OBSERVE_METRICS_TRAFFIC_H

#include <stdio.h>

#include "datapath/datapath.h"

void metrics_print_traffic(const struct counters *counters,
			   const struct datapath_condition *condition, FILE *stream);

#endif
