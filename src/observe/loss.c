// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "net/driver_counters.h"
#include "net/ethtool.h"
#include "observe/loss.h"
#include "datapath/names.h"
#include "net/netdev.h"
#include "net/rtnl_link.h"

/* Statistics of the kernel that mean lost packets; drivers have their own. */
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
	KERNEL_STAT(rx_missed_errors, LOST_RECEIVING,
		    "no room in the receive ring: the host was too slow"),
	KERNEL_STAT(rx_over_errors, LOST_RECEIVING, "the receive ring overran"),
	KERNEL_STAT(rx_fifo_errors, LOST_RECEIVING, "the NIC's own buffer overran"),
	KERNEL_STAT(tx_dropped, LOST_SENDING, "the driver dropped what was to be sent"),
	KERNEL_STAT(tx_fifo_errors, LOST_SENDING, "the NIC's own buffer ran empty"),
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

enum loss_place loss_place_of(enum loss loss)
{
	static const enum loss_place places[] = {
#define X(upper, name, place, meaning) [LOSS_##upper] = LOSS_PLACE_##place,
		PIPELINE_LOSSES(X)
#undef X
	};

	return places[loss];
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
	int err, ifindex = (int)if_nametoindex(interface);
	struct rtnl_link_stats64 stats;

	err = ifindex ? rtnl_read_stats(ifindex, &stats) : -ENODEV;
	if (err)
		return err == -ENODEV ? 0 : err; /* it is gone, or this is not known */
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

static void add_allowance(struct loss_table *table, const char *interface,
			  const struct ethtool_stat *stats, size_t count)
{
	struct loss_allowance *allowance = &table->allowances[table->allowance_count];

	if (!driver_counters_connections_left(stats, count, &allowance->connections))
		return;
	table->allowance_count++;
	snprintf(allowance->interface, sizeof(allowance->interface), "%s", interface);
}

static int add_driver_stats(struct loss_table *table, const char *interface, unsigned int side)
{
	_cleanup_free_ struct ethtool_stat *stats = NULL;
	struct driver_loss loss;
	struct netdev netdev;
	struct error ignored;
	size_t count, cursor = 0;
	int err = ethtool_read_stats(interface, &stats, &count);

	if (error_may_pass(err))
		return err;
	/* the interface is gone, or its driver has none */
	if (err || netdev_get(interface, &netdev, &ignored))
		return 0;
	add_allowance(table, interface, stats, count);
	while (!err && driver_counters_next_loss(netdev.driver, side, stats, count, &cursor, &loss))
		err = add(table, LOSS_PLACE_NIC, interface, loss.name, loss.packets, loss.meaning);
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
		 const struct datapath_condition *condition, struct error *error)
{
	const struct datapath_losses *losses = &condition->losses;
	const struct instance_info *info = &condition->info;
	bool single_arm = info->listen_ifindex == info->egress_ifindex;
	int err;

	memset(table, 0, sizeof(*table));
	err = add_interface(table, info->listen,
			    single_arm ? LOST_RECEIVING | LOST_SENDING : LOST_RECEIVING);
	if (!err && !single_arm)
		err = add_interface(table, info->egress, LOST_SENDING);
	if (!err)
		err = add_verdicts(table, counters);
	for (enum loss kind = 0; !err && losses->counted && kind < LOSS_COUNT; kind++)
		err = add(table, loss_place_of(kind), "", loss_name(kind), losses->of[kind].packets,
			  loss_meaning(kind));
	return err ? error_set(error, err, "cannot read where packets are lost: %s", strerror(-err))
		   : 0;
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
