/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What drivers' own statistics (ethtool -S) mean, in one table for all who read them. It leaves out
 * what drivers count of XDP, as the program's verdicts and the tracepoints tell the same.
 */
#ifndef NET_DRIVER_COUNTERS_H
#define NET_DRIVER_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ethtool.h"

/* What an interface was doing with a packet that it lost. */
enum driver_loss_side { LOST_RECEIVING = 1, LOST_SENDING = 2 };

struct driver_loss {
	const char *name; /* of the statistic; N stands for the queue's number */
	uint64_t packets; /* of all queues together */
	const char *meaning;
};

/*
 * The losses on `sides` that this driver counts, one after another: `cursor` begins with 0. Returns
 * false at the end.
 */
bool driver_counters_next_loss(const char *driver, unsigned int sides,
			       const struct ethtool_stat *stats, size_t count, size_t *cursor,
			       struct driver_loss *loss);

/* What EC2 limits; ENA counts the packets that were lost to each limit. */
enum driver_allowance {
	DRIVER_ALLOWANCE_BW_IN,
	DRIVER_ALLOWANCE_BW_OUT,
	DRIVER_ALLOWANCE_PPS,
	DRIVER_ALLOWANCE_CONNTRACK,
	DRIVER_ALLOWANCE_LINKLOCAL,
	DRIVER_ALLOWANCES
};

/* The statistic that counts them, and why packets were lost. */
const char *driver_allowance_statistic(enum driver_allowance allowance);
const char *driver_allowance_meaning(enum driver_allowance allowance);

/* These return false, and leave the output untouched, if the driver has no such statistic. */

/* Packets lost to an allowance. */
bool driver_counters_exceeded(enum driver_allowance allowance, const struct ethtool_stat *stats,
			      size_t count, uint64_t *packets);
/* How many more tracked connections ENA's allowance admits. */
bool driver_counters_connections_left(const struct ethtool_stat *stats, size_t count,
				      uint64_t *connections);
/* Packets lost because the receive ring was full; any driver's statistic. */
#define DRIVER_OVERRUN "the receive ring was full"
bool driver_counters_overruns(const struct ethtool_stat *stats, size_t count, uint64_t *packets);

#endif
