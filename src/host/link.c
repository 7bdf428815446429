// SPDX-License-Identifier: GPL-2.0-only
/* The facts of one interface. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/ethtool.h>
#include <linux/route.h>

#include "base/cleanup.h"
#include "net/driver_features.h"
#include "net/ethtool.h"
#include "net/ethtool_features.h"
#include "host/internal.h"
#include "datapath/owner.h"
#include "net/netdev.h"
#include "net/rtnl_link.h"
#include "net/xdp_program.h"
#include "instance/daemon.h"
#include "instance/bpffs.h"

static enum answer answer_of(bool yes)
{
	return yes ? ANSWER_YES : ANSWER_NO;
}

/* Copies a text of a driver, and makes it printable ASCII for messages and JSON. */
static void copy_text(char *to, size_t size, const char *from, size_t length)
{
	size_t used = 0;

	for (; used + 1 < size && used < length && from[used]; used++)
		to[used] = isprint((unsigned char)from[used]) ? from[used] : '?';
	to[used] = '\0';
}

static void read_driver(struct host_link *link)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	if (ethtool_request(link->name, &info))
		return;
	copy_text(link->driver, sizeof(link->driver), info.driver, sizeof(info.driver));
	copy_text(link->driver_version, sizeof(link->driver_version), info.version,
		  sizeof(info.version));
	copy_text(link->firmware, sizeof(link->firmware), info.fw_version, sizeof(info.fw_version));
	copy_text(link->bus, sizeof(link->bus), info.bus_info, sizeof(info.bus_info));
}

static void read_settings(struct host_link *link)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
	struct ethtool_coalesce coalesce = {.cmd = ETHTOOL_GCOALESCE};

	if (ethtool_request(link->name, &channels) == 0) {
		link->channels = channels.combined_count;
		link->channels_max = channels.max_combined;
		link->rx_channels = channels.rx_count;
		link->rx_channels_max = channels.max_rx;
		link->tx_channels = channels.tx_count;
		link->tx_channels_max = channels.max_tx;
	}
	if (ethtool_request(link->name, &ring) == 0) {
		link->rx_ring = ring.rx_pending;
		link->rx_ring_max = ring.rx_max_pending;
		link->tx_ring = ring.tx_pending;
		link->tx_ring_max = ring.tx_max_pending;
	}
	if (ethtool_request(link->name, &coalesce) == 0) {
		link->adaptive_rx = coalesce.use_adaptive_rx_coalesce != 0;
		link->rx_usecs = coalesce.rx_coalesce_usecs;
		link->tx_usecs = coalesce.tx_coalesce_usecs;
	}
}

static void host_read_vlan(struct host_link *link)
{
	struct ethtool_feature vlan = {0}, stag = {0};

	if (ethtool_read_feature(link->name, ETHTOOL_RX_VLAN, &vlan) ||
	    ethtool_read_feature(link->name, ETHTOOL_RX_VLAN_STAG, &stag))
		return;
	link->rx_vlan = answer_of(vlan.on);
	link->rx_stag = answer_of(stag.on);
	link->rx_vlan_fixed = answer_of((vlan.on && vlan.fixed) || (stag.on && stag.fixed));
}

/* Reads the packets that were lost here. */
static void read_stats(struct host_link *link)
{
	_cleanup_free_ struct ethtool_stat *stats = NULL;
	uint64_t packets;
	size_t count;

	if (ethtool_read_stats(link->name, &stats, &count))
		return;
	for (enum driver_allowance i = 0; i < DRIVER_ALLOWANCES; i++) {
		if (driver_counters_exceeded(i, stats, count, &packets))
			link->exceeded[i] = (int64_t)packets;
	}
	if (driver_counters_overruns(stats, count, &packets))
		link->rx_overruns = (int64_t)packets;
}

/* A program's name takes CAP_SYS_ADMIN, but this instance's own program is known by its pins. */
static void read_owner(struct host_link *link, int ifindex, const struct xdp_program *program,
		       const char *instance)
{
	bool ours = *program->name && xdp_program_ours(program);
	struct instance_daemon daemon;
	int owns;

	if (datapath_find_sender(ifindex, link->xdp_instance))
		return; /* not known */
	if (*link->xdp_instance) {
		strcpy(link->xdp_owner, "passing");
		return;
	}
	owns = datapath_owns(instance, program->id);
	instance_see_daemon(instance, &daemon);
	/* without a BPF file system there are no pins, but its daemon runs on */
	if (owns > 0 || (ours && !instance_has_bpffs() && daemon.place != DAEMON_NOWHERE))
		strcpy(link->xdp_owner, "instance");
	else if (!owns && *program->name &&
		 (!ours || datapath_find_owner(program->id, link->xdp_instance) == 0))
		strcpy(link->xdp_owner, ours ? "ours" : "foreign");
}

static void read_xdp(struct host_link *link, int ifindex, const char *instance)
{
	struct xdp_program program = xdp_program_on(ifindex);
	uint64_t features;

	link->xdp_id = program.err ? HOST_UNKNOWN : (int64_t)program.id;
	if (program.id) {
		copy_text(link->xdp_name, sizeof(link->xdp_name), program.name,
			  sizeof(program.name));
		strcpy(link->xdp_mode, program.generic ? "generic" : "native");
		link->xdp_link = program.link_known ? (int64_t)program.link : HOST_UNKNOWN;
		read_owner(link, ifindex, &program, instance);
	}
	if (driver_xdp_features(ifindex, &features))
		return;
	link->native = answer_of(features & DRIVER_XDP_BASIC);
	link->redirect = answer_of(features & DRIVER_XDP_REDIRECT);
	link->transmit = answer_of(features & DRIVER_XDP_TRANSMIT);
	link->multi_buffer = answer_of(features & DRIVER_XDP_RX_SG);
}

/* /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
static bool has_default4(const char *interface)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/net/route", "re");
	char line[256], name[32], destination[16], mask[16];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %15s %*s %*s %*s %*s %*s %15s", name, destination, mask) ==
			    3 &&
		    strcmp(name, interface) == 0 && strcmp(destination, "00000000") == 0 &&
		    strcmp(mask, "00000000") == 0)
			return true;
	}
	return false;
}

/* /proc/net/ipv6_route: destination, its length, source, its length, gateway, ..., interface */
static bool has_default6(const char *interface)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/net/ipv6_route", "re");
	char line[256], name[32], length[8];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %7s %*s %*s %*s %*s %*s %*s %*s %31s", length, name) == 2 &&
		    strcmp(name, interface) == 0 && strcmp(length, "00") == 0)
			return true;
	}
	return false;
}

static void host_read_kind(struct host_link *link, const struct netdev *netdev)
{
	struct rtnl_kind kind;

	link->type = netdev->type;
	link->arp = answer_of(netdev->arp);
	if (rtnl_read_kind(netdev->ifindex, &kind))
		return;
	copy_text(link->kind, sizeof(link->kind), kind.name, sizeof(kind.name));
	copy_text(link->master, sizeof(link->master), kind.master, sizeof(kind.master));
	copy_text(link->master_kind, sizeof(link->master_kind), kind.master_kind,
		  sizeof(kind.master_kind));
}

static void read_sysctls(struct host_link *link)
{
	link->forwarding4 = host_read_number("/proc/sys/net/ipv4/conf/%s/forwarding", link->name);
	link->forwarding6 = host_read_number("/proc/sys/net/ipv6/conf/%s/forwarding", link->name);
	link->force_forwarding6 =
		host_read_number("/proc/sys/net/ipv6/conf/%s/force_forwarding", link->name);
	link->rp_filter = host_read_number("/proc/sys/net/ipv4/conf/%s/rp_filter", link->name);
	link->send_redirects =
		host_read_number("/proc/sys/net/ipv4/conf/%s/send_redirects", link->name);
	link->accept_ra = host_read_number("/proc/sys/net/ipv6/conf/%s/accept_ra", link->name);
}

void host_read_link(struct host_link *link, const char *instance)
{
	struct netdev netdev;
	struct error ignored;

	if (netdev_get(link->name, &netdev, &ignored)) {
		link->exists = ANSWER_NO;
		return;
	}
	link->exists = ANSWER_YES;
	link->up = answer_of(netdev.up);
	link->carrier = answer_of(netdev.carrier);
	link->mtu = netdev.mtu;
	snprintf(link->mac, sizeof(link->mac), "%02x:%02x:%02x:%02x:%02x:%02x", netdev.mac[0],
		 netdev.mac[1], netdev.mac[2], netdev.mac[3], netdev.mac[4], netdev.mac[5]);
	link->default_route = answer_of(has_default4(link->name) || has_default6(link->name));
	host_read_kind(link, &netdev);
	read_driver(link);
	read_settings(link);
	host_read_vlan(link);
	read_stats(link);
	read_xdp(link, netdev.ifindex, instance);
	read_sysctls(link);
}

struct driver host_link_driver(const struct host *host, const struct host_link *link)
{
	const struct driver_facts facts = {
		.name = *link->driver ? link->driver : link->kind,
		.version = link->driver_version,
		.kernel = host->kernel,
		.native = link->native,
		.multi_buffer = link->multi_buffer,
		.frags = host->features.frags,
		.channels_max = link->channels_max,
	};

	return driver_of(&facts);
}
