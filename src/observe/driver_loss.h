/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of a driver's own statistics (ethtool -S) mean lost packets. What they count of XDP is no
 * part of it: that is the program's verdicts, or what the tracepoints tell, again.
 */
#ifndef OBSERVE_DRIVER_LOSS_H
#define OBSERVE_DRIVER_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ethtool.h"

/* What an interface does for the instance; single-arm it does both. */
enum loss_side { LOSS_LISTEN = 1, LOSS_EGRESS = 2 };

struct driver_loss {
	const char *name; /* of the statistic, an N standing for the queue's number */
	uint64_t packets; /* of all queues */
	const char *meaning;
};

/*
 * Looks for one after another: `cursor` begins with 0. Returns false at the end; what the driver
 * does not count is passed over.
 */
bool driver_loss_next(const char *driver, unsigned int sides, const struct ethtool_stat *stats,
		      size_t count, size_t *cursor, struct driver_loss *loss);

#endif
