// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ethtool.h"
#include "loss.h"
#include "names.h"
#include "rtnl_stats.h"

/*
 * Statistics that mean lost packets. Those of the kernel's own first; then
 * the drivers', where a queue's number stands for `N`: ena_ethtool.c, virtio_net.c, veth.c. What
 * they count of XDP (xdp_drop and the like) is left out: that is the program's verdicts again.
 */
enum side { LISTEN = 1, EGRESS = 2, BOTH = LISTEN | EGRESS };

#define KERNEL_STAT(name, side, meaning)                                       \
	{                                                                      \
#name, side, meaning, offsetof(struct rtnl_link_stats64, name) \
	}

static const struct kernel_stat {
	const char *name;
	unsigned int side;
	const char *meaning;
	size_t offset; /* in struct rtnl_link_stats64, a __u64 */
} kernel_stats[] = {
	KERNEL_STAT(rx_missed_errors, LISTEN, "no room in the receive ring: the host was too slow"),
	KERNEL_STAT(rx_over_errors, LISTEN, "the receive ring overran"),
	KERNEL_STAT(rx_fifo_errors, LISTEN, "the NIC's own buffer overran"),
	KERNEL_STAT(tx_dropped, EGRESS, "the driver dropped what was to be sent"),
	KERNEL_STAT(tx_fifo_errors, EGRESS, "the NIC's own buffer ran empty"),
};

static const struct {
	const char *name;
	unsigned int side;
	const char *meaning;
} driver_stats[] = {
	{"bw_in_allowance_exceeded", LISTEN, "more bandwidth than the instance type has"},
	{"bw_out_allowance_exceeded", EGRESS, "more bandwidth than the instance type has"},
	{"pps_allowance_exceeded", BOTH,
	 "more packets a second than the instance type has, or more than 1024 fragments"},
	{"conntrack_allowance_exceeded", BOTH,
	 "more tracked connections than the instance type has"},
	{"linklocal_allowance_exceeded", BOTH, "too many packets to local proxy services"},
	{"rx_drops", LISTEN, "the device had no room for what it received"},
	{"rx_overruns", LISTEN, "the device's receive buffer overran"},
	{"tx_drops", EGRESS, "the device dropped what was to be sent"},
	{"queue_N_rx_page_alloc_fail", LISTEN, "no memory for the receive ring"},
	{"queue_N_rx_dma_mapping_err", LISTEN, "no mapping for the receive ring"},
	{"queue_N_rx_bad_desc_num", LISTEN, "a frame in more pieces than the driver takes"},
	{"queue_N_rx_bad_req_id", LISTEN, "the device answered what was not asked"},
	{"queue_N_rx_xdp_invalid", LISTEN, "the program's answer was none"},
	{"rx_queue_N_drops", LISTEN, "the driver dropped what it received"},
};

const char *loss_place_name(enum loss_place place)
{
	static const char *const names[] = {
#define X(upper, name, meaning) [LOSS_PLACE_##upper] = #name,
		LOSS_PLACES(X)
#undef X
	};

	return names[place];
}

static int add(struct loss_table *table, enum loss_place place, const char *interface,
	       const char *reason, uint64_t packets, const char *meaning)
{
	struct loss_row *row;
	struct loss_row *rows = reallocarray(table->rows, table->count + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	row = &rows[table->count++];
	*row = (struct loss_row){.place = place, .packets = packets, .meaning = meaning};
	snprintf(row->interface, sizeof(row->interface), "%s", interface);
	snprintf(row->reason, sizeof(row->reason), "%s", reason);
	return 0;
}

static int add_kernel_stats(struct loss_table *table, const char *interface, unsigned int side)
{
	struct rtnl_link_stats64 stats;
	int err = 0;

	if (rtnl_read_stats(interface, &stats))
		return 0; /* it is gone */
	for (size_t i = 0; !err && i < sizeof(kernel_stats) / sizeof(kernel_stats[0]); i++) {
		const struct kernel_stat *stat = &kernel_stats[i];
		uint64_t value;

		memcpy(&value, (const char *)&stats + stat->offset, sizeof(value));
		if (stat->side & side)
			err = add(table, LOSS_PLACE_NIC, interface, stat->name, value,
				  stat->meaning);
	}
	return err;
}

/* "queue_12_rx_drops" becomes "queue_N_rx_drops". */
static void without_queue(const char *name, char *to, size_t size)
{
	size_t used = 0;

	while (*name && used + 2 < size) {
		bool number = isdigit((unsigned char)*name) && used && to[used - 1] == '_';

		if (!number) {
			to[used++] = *name++;
			continue;
		}
		to[used++] = 'N';
		while (isdigit((unsigned char)*name))
			name++;
	}
	to[used] = '\0';
}

/* Sums a statistic over queues; -ENOENT: the driver has none of that name. */
static int sum_stat(const struct ethtool_stat *stats, size_t count, const char *name, uint64_t *sum)
{
	int found = -ENOENT;
	char generic[sizeof(stats->name) + 2];

	*sum = 0;
	for (size_t i = 0; i < count; i++) {
		without_queue(stats[i].name, generic, sizeof(generic));
		if (strcmp(generic, name) != 0)
			continue;
		*sum += stats[i].value;
		found = 0;
	}
	return found;
}

static int add_driver_stats(struct loss_table *table, const char *interface, unsigned int side)
{
	_cleanup_free_ struct ethtool_stat *stats = NULL;
	size_t count;
	int err = ethtool_read_stats(interface, &stats, &count);

	if (err == -ENOMEM)
		return err;
	if (err)
		return 0; /* the interface is gone, or its driver has none */
	for (size_t i = 0; !err && i < sizeof(driver_stats) / sizeof(driver_stats[0]); i++) {
		uint64_t sum;

		if (driver_stats[i].side & side &&
		    sum_stat(stats, count, driver_stats[i].name, &sum) == 0)
			err = add(table, LOSS_PLACE_NIC, interface, driver_stats[i].name, sum,
				  driver_stats[i].meaning);
	}
	return err;
}

static int add_interface(struct loss_table *table, const char *interface, unsigned int side)
{
	int err = add_kernel_stats(table, interface, side);

	return err ? err : add_driver_stats(table, interface, side);
}

static int add_verdicts(struct loss_table *table, const struct counters *counters)
{
	int err = 0;

	for (enum verdict v = VERDICT_GO_ON + 1; !err && v < VERDICT_COUNT; v++) {
		if (verdict_class(v) == VERDICT_CLASS_DROPPED ||
		    verdict_class(v) == VERDICT_CLASS_ERROR)
			err = add(table, LOSS_PLACE_PROGRAM, "", verdict_name(v),
				  counters->verdict[v].packets, verdict_meaning(v));
	}
	return err;
}

int loss_collect(struct loss_table *table, const struct counters *counters,
		 const struct datapath_losses *losses, const struct instance_info *info)
{
	bool single_arm = info->listen_ifindex == info->egress_ifindex;
	int err;

	memset(table, 0, sizeof(*table));
	err = add_interface(table, info->listen, single_arm ? BOTH : LISTEN);
	if (!err && !single_arm)
		err = add_interface(table, info->egress, EGRESS);
	if (!err)
		err = add_verdicts(table, counters);
	for (enum loss kind = 0; !err && losses->counted && kind < LOSS_COUNT; kind++)
		err = add(table, LOSS_PLACE_TRANSMIT, "", loss_name(kind), losses->of[kind].packets,
			  loss_meaning(kind));
	return err;
}

void loss_table_clear(struct loss_table *table)
{
	free(table->rows);
	memset(table, 0, sizeof(*table));
}

json_t *loss_json(const struct loss_table *table)
{
	json_t *array = json_array();

	for (size_t i = 0; i < table->count; i++) {
		const struct loss_row *row = &table->rows[i];

		json_array_append_new(array,
				      json_pack("{s:s, s:s?, s:s, s:I, s:s}", "place",
						loss_place_name(row->place), "interface",
						*row->interface ? row->interface : NULL, "reason",
						row->reason, "packets", (json_int_t)row->packets,
						"meaning", row->meaning));
	}
	return array;
}
