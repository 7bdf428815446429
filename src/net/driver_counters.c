// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <string.h>

#include "net/driver_counters.h"

#define BOTH (LOST_RECEIVING | LOST_SENDING)

/*
 * Names: ena_ethtool.c, virtio_net.c; meanings: ENA_Linux_Best_Practices.rst of amzn-drivers, and
 * EC2's documentation of the allowances. Left out: ENA's tx_drops, which repeats the kernel's
 * tx_dropped, and veth's drops, frames that it could not redirect, which the tracepoints count.
 */
static const struct driver_counter {
	const char *driver;
	const char *name;
	const char *without; /* subtract this statistic: it counts intended drops; NULL: none */
	unsigned int sides;
	const char *meaning;
} driver_counters[] = {
	[DRIVER_ALLOWANCE_BW_IN] = {"ena", "bw_in_allowance_exceeded", NULL, LOST_RECEIVING,
				    "more bandwidth than the instance type has"},
	[DRIVER_ALLOWANCE_BW_OUT] = {"ena", "bw_out_allowance_exceeded", NULL, LOST_SENDING,
				     "more bandwidth than the instance type has"},
	[DRIVER_ALLOWANCE_PPS] =
		{"ena", "pps_allowance_exceeded", NULL, BOTH,
		 "more packets a second than the instance type has, or more than 1024 fragments"},
	[DRIVER_ALLOWANCE_CONNTRACK] = {"ena", "conntrack_allowance_exceeded", NULL, BOTH,
					"more tracked connections than the instance type has"},
	[DRIVER_ALLOWANCE_LINKLOCAL] =
		{"ena", "linklocal_allowance_exceeded", NULL, BOTH,
		 "too many packets to the instance metadata, DNS and time services"},
	[DRIVER_ALLOWANCES] = {"ena", "rx_drops", NULL, LOST_RECEIVING,
			       "the device had no room for received packets"},
	{"ena", "rx_overruns", NULL, LOST_RECEIVING, DRIVER_OVERRUN},
	{"ena", "queue_N_rx_page_alloc_fail", NULL, LOST_RECEIVING,
	 "no memory for the receive ring"},
	{"ena", "queue_N_rx_dma_mapping_err", NULL, LOST_RECEIVING,
	 "no mapping for the receive ring"},
	{"ena", "queue_N_rx_bad_desc_num", NULL, LOST_RECEIVING,
	 "a frame in more pieces than the driver takes"},
	{"ena", "queue_N_rx_bad_req_id", NULL, LOST_RECEIVING,
	 "the device completed a request that the driver had not made"},
	{"ena", "queue_N_rx_xdp_invalid", NULL, LOST_RECEIVING,
	 "the program returned no valid XDP action"},
	/* up to Linux 6.10, and from then on */
	{"virtio_net", "rx_queue_N_drops", "rx_queue_N_xdp_drops", LOST_RECEIVING,
	 "the driver dropped received packets"},
	{"virtio_net", "rxN_drops", "rxN_xdp_drops", LOST_RECEIVING,
	 "the driver dropped received packets"},
	{"virtio_net", "rxN_hw_drops", NULL, LOST_RECEIVING,
	 "the device had no room for received packets"},
	{"virtio_net", "txN_hw_drops", NULL, LOST_SENDING, "the device dropped packets to be sent"},
};

#define DRIVER_COUNTERS (sizeof(driver_counters) / sizeof(driver_counters[0]))

/* Is `name` the statistic `generic` of some queue? */
static bool driver_counters_match(const char *name, const char *generic)
{
	for (; *generic; generic++) {
		if (*generic != 'N') {
			if (*name++ != *generic)
				return false;
			continue;
		}
		if (!isdigit((unsigned char)*name))
			return false;
		while (isdigit((unsigned char)*name))
			name++;
	}
	return !*name;
}

/* Adds up a statistic over all queues. False, and `total` is untouched: there is none. */
static bool driver_counters_sum(const struct ethtool_stat *stats, size_t count, const char *generic,
				uint64_t *total)
{
	bool found = false;
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		if (!driver_counters_match(stats[i].name, generic))
			continue;
		sum += stats[i].value;
		found = true;
	}
	if (found)
		*total = sum;
	return found;
}

bool driver_counters_next_loss(const char *driver, unsigned int sides,
			       const struct ethtool_stat *stats, size_t count, size_t *cursor,
			       struct driver_loss *loss)
{
	while (*cursor < DRIVER_COUNTERS) {
		const struct driver_counter *row = &driver_counters[(*cursor)++];
		uint64_t packets, without = 0;

		if (strcmp(row->driver, driver) != 0 || !(row->sides & sides) ||
		    !driver_counters_sum(stats, count, row->name, &packets))
			continue;
		if (row->without)
			driver_counters_sum(stats, count, row->without, &without);
		*loss = (struct driver_loss){
			.name = row->name,
			/* the two are not read at one instant */
			.packets = packets > without ? packets - without : 0,
			.meaning = row->meaning,
		};
		return true;
	}
	return false;
}

const char *driver_allowance_statistic(enum driver_allowance allowance)
{
	return driver_counters[allowance].name;
}

const char *driver_allowance_meaning(enum driver_allowance allowance)
{
	return driver_counters[allowance].meaning;
}

bool driver_counters_exceeded(enum driver_allowance allowance, const struct ethtool_stat *stats,
			      size_t count, uint64_t *packets)
{
	return driver_counters_sum(stats, count, driver_counters[allowance].name, packets);
}

bool driver_counters_connections_left(const struct ethtool_stat *stats, size_t count,
				      uint64_t *connections)
{
	return driver_counters_sum(stats, count, "conntrack_allowance_available", connections);
}

/* Drivers call the statistic rx_overruns, rx_overrun_errors, or the like. */
bool driver_counters_overruns(const struct ethtool_stat *stats, size_t count, uint64_t *packets)
{
	bool found = false;
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		if (!strstr(stats[i].name, "rx_overrun"))
			continue;
		sum += stats[i].value;
		found = true;
	}
	if (found)
		*packets = sum;
	return found;
}
