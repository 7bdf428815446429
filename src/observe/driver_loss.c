// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <string.h>

#include "observe/driver_loss.h"

#define BOTH (LOSS_LISTEN | LOSS_EGRESS)

/*
 * Names: ena_ethtool.c, virtio_net.c. ENA's tx_drops is the kernel's tx_dropped again; veth's drops
 * are what it could not redirect, which the tracepoints tell, too.
 */
static const struct known {
	const char *driver;
	const char *name;
	const char *without; /* a part of it that is no loss; NULL: none */
	unsigned int sides;
	const char *meaning;
} known[] = {
	{"ena", "bw_in_allowance_exceeded", NULL, LOSS_LISTEN,
	 "more bandwidth than the instance type has"},
	{"ena", "bw_out_allowance_exceeded", NULL, LOSS_EGRESS,
	 "more bandwidth than the instance type has"},
	{"ena", "pps_allowance_exceeded", NULL, BOTH,
	 "more packets a second than the instance type has, or more than 1024 fragments"},
	{"ena", "conntrack_allowance_exceeded", NULL, BOTH,
	 "more tracked connections than the instance type has"},
	{"ena", "linklocal_allowance_exceeded", NULL, BOTH,
	 "too many packets to local proxy services"},
	{"ena", "rx_drops", NULL, LOSS_LISTEN, "the device had no room for what it received"},
	{"ena", "rx_overruns", NULL, LOSS_LISTEN, "the device's receive buffer overran"},
	{"ena", "queue_N_rx_page_alloc_fail", NULL, LOSS_LISTEN, "no memory for the receive ring"},
	{"ena", "queue_N_rx_dma_mapping_err", NULL, LOSS_LISTEN, "no mapping for the receive ring"},
	{"ena", "queue_N_rx_bad_desc_num", NULL, LOSS_LISTEN,
	 "a frame in more pieces than the driver takes"},
	{"ena", "queue_N_rx_bad_req_id", NULL, LOSS_LISTEN,
	 "the device answered what was not asked"},
	{"ena", "queue_N_rx_xdp_invalid", NULL, LOSS_LISTEN, "the program's answer was none"},
	/* up to Linux 6.10, and from then on */
	{"virtio_net", "rx_queue_N_drops", "rx_queue_N_xdp_drops", LOSS_LISTEN,
	 "the driver dropped what it received"},
	{"virtio_net", "rxN_drops", "rxN_xdp_drops", LOSS_LISTEN,
	 "the driver dropped what it received"},
	{"virtio_net", "rxN_hw_drops", NULL, LOSS_LISTEN,
	 "the device had no room for what it received"},
	{"virtio_net", "txN_hw_drops", NULL, LOSS_EGRESS, "the device dropped what was to be sent"},
};

/* Is `name` the statistic of one queue that `generic` stands for? */
static bool name_matches(const char *name, const char *generic)
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

/* Of all queues together; returns whether there is any. */
static bool sum(const struct ethtool_stat *stats, size_t count, const char *name, uint64_t *total)
{
	bool found = false;

	*total = 0;
	for (size_t i = 0; name && i < count; i++) {
		if (!name_matches(stats[i].name, name))
			continue;
		*total += stats[i].value;
		found = true;
	}
	return found;
}

bool driver_loss_next(const char *driver, unsigned int sides, const struct ethtool_stat *stats,
		      size_t count, size_t *cursor, struct driver_loss *loss)
{
	while (*cursor < sizeof(known) / sizeof(known[0])) {
		const struct known *row = &known[(*cursor)++];
		uint64_t packets, without;

		if (strcmp(row->driver, driver) != 0 || !(row->sides & sides) ||
		    !sum(stats, count, row->name, &packets))
			continue;
		sum(stats, count, row->without, &without);
		*loss = (struct driver_loss){
			.name = row->name,
			/* they are not read at one instant */
			.packets = packets > without ? packets - without : 0,
			.meaning = row->meaning,
		};
		return true;
	}
	return false;
}
