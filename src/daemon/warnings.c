// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/quote.h"
#include "daemon/warnings.h"
#include "datapath/bypass.h"
#include "instance/bpffs.h"
#include "instance/instance.h"
#include "net/driver.h"
#include "net/ethtool_features.h"
#include "net/rtnl_link.h"

/* Listening on one port of a bridge makes sense; one port of a bond sees only some of the packets. */
static void warn_of_listen_port(const struct config *config, const struct netdev *listen)
{
	struct rtnl_kind kind;

	if (rtnl_read_kind(listen->ifindex, &kind) == 0 && rtnl_kind_is_share(kind.master_kind))
		log_warning("%s is a port of %s (%s): what comes in by its other ports is not "
			    "seen; say `interface: %s` under `listen`",
			    config->listen.interface, kind.master, kind.master_kind, kind.master);
}

/* Warns if forward.interface is of a kind that has no routes or no neighbours. */
static void warn_of_no_next_hops(const struct config *config, const struct netdev *egress)
{
	const char *name = config->forward.interface;
	struct rtnl_kind kind;

	if (rtnl_read_kind(egress->ifindex, &kind) == 0 &&
	    rtnl_kind_has_no_routes(kind.master_kind))
		log_warning("%s is a port of %s (%s), and the kernel's routes lead out of %s, not "
			    "out of its ports; say `interface: %s` under `forward`, or the MAC of "
			    "the next hop as `next_hop`",
			    name, kind.master, kind.master_kind, kind.master, kind.master);
	if (!egress->arp)
		log_warning("%s has no ARP (NOARP): nobody is asked for the MAC of a next hop, and "
			    "frames leave addressed to the interface itself; say that MAC as "
			    "`next_hop` under `forward`, or: ip link set dev %s arp on",
			    name, name);
}

void warn_of_links(const struct config *config, const struct netdev *listen,
		   const struct netdev *egress)
{
	if (!listen->up)
		log_warning("%s is down; ip link set dev %s up", config->listen.interface,
			    config->listen.interface);
	if (!egress->up && egress->ifindex != listen->ifindex)
		log_warning("%s is down; ip link set dev %s up", config->forward.interface,
			    config->forward.interface);
	warn_of_listen_port(config, listen);
	if (config->forward.next_hop == NEXT_HOP_ROUTE)
		warn_of_no_next_hops(config, egress);
}

void warn_of_sources(const struct config *config)
{
	if (!config->listen.source_count)
		log_warning(
			"listen.sources is not set: whoever reaches UDP port %u of this host has "
			"packets of their making delivered; list the mirror sources there",
			config->listen.port);
}

void warn_of_bpffs(const char *instance)
{
	const char *doubt = instance_bpffs_doubt(instance);

	if (doubt)
		log_warning("%s", doubt);
}

/* The kernel answers routing questions only for interfaces that forward. */
void warn_of_forwarding(const struct config *config)
{
	const char *egress = config->forward.interface;

	if (config->forward.next_hop != NEXT_HOP_ROUTE)
		return;
	for (int version = 4; version <= 6; version += 2) {
		if (config_may_send(config, version) && !netdev_forwards(egress, version))
			log_warning(
				"IPv%d forwarding is off on %s, so the kernel tells the "
				"datapath no next hops: what no rule re-addresses ends as "
				"no_route, and no change of them is noticed while no daemon runs; "
				"sysctl -w net/ipv%d/conf/%s/forwarding=1", /* may have dots */
				version, egress, version, egress);
	}
}

void warn_of_answers(const struct error *why)
{
	log_warning(
		"the kernel cannot be kept from answering captured packets, so that none is passed "
		"to it: what it would have to fragment ends as oversize, and what is meant for "
		"this host or for `pass` as no_route; %s",
		why->text);
}

/* Of which packets XDP fragments none; false: it fragments all that are too large. */
static bool is_left_whole(const struct config *config, enum fragmenting fragmenting,
			  const struct datapath_links *links, char *packets, size_t size)
{
	const int64_t arriving = (int64_t)links->listen_mtu - FRAGMENTING_TUNNEL;
	const int64_t admitted = (int64_t)links->egress_mtu - FRAGMENTING_ROOM;
	const uint32_t mtu = config->forward.mtu ? config->forward.mtu : links->egress_mtu;
	int64_t largest;

	snprintf(packets, size, "larger than forward.mtu");
	/* what `pass` hands to a kernel that fragments is as it was meant */
	if (fragmenting == FRAGMENTING_NONE)
		return config->forward.oversize == OVERSIZE_PASS && arriving > mtu &&
		       links->egress_mtu > mtu;
	if (fragmenting != FRAGMENTING_IN_XDP)
		return true;
	largest = fragmenting_largest(mtu);
	if (admitted < largest)
		largest = admitted;
	snprintf(packets, size, "of more than %" PRId64 " bytes", largest);
	return arriving > largest;
}

/* Where XDP cannot fragment, the kernel may: several times slower, and to the MTU of its route only. */
void warn_of_fragmenting(const struct config *config, enum fragmenting fragmenting,
			 const struct datapath_links *links)
{
	static const char *const why[] = {
		[FRAGMENTING_NONE] = "forward.oversize is pass",
		[FRAGMENTING_DEVICE_TOO_SMALL] = "its MTU lets no packet pass that is still whole",
		[FRAGMENTING_KERNEL_TOO_OLD] = "this kernel does not copy frames (Linux 5.14 does)",
		[FRAGMENTING_GENERIC_MODE] = "generic mode cannot",
	};
	const char *egress = config->forward.interface, *reason = why[fragmenting];
	const int64_t needed =
		fragmenting_device_mtu((int64_t)links->listen_mtu - FRAGMENTING_TUNNEL);
	const bool room = (int64_t)links->egress_mtu >= needed;
	char packets[64];

	if (!is_left_whole(config, fragmenting, links, packets, sizeof(packets)))
		return;
	if (fragmenting == FRAGMENTING_IN_XDP)
		reason = room ? "they come in several buffers, or would make too many fragments"
			      : "its MTU lets none of them pass whole";
	if (!config->forward.mtu || links->egress_mtu <= config->forward.mtu)
		log_warning("%s: packets %s are not fragmented in XDP, as %s; "
			    "the kernel fragments them, several times slower",
			    egress, packets, reason);
	else
		log_warning("%s: packets %s are not fragmented in XDP, as %s; "
			    "they end as oversize, unless routes out of %s have an MTU of %" PRIu32
			    ": ip route ... mtu %" PRIu32,
			    egress, packets, reason, egress, config->forward.mtu,
			    config->forward.mtu);
	if (!room &&
	    (fragmenting == FRAGMENTING_DEVICE_TOO_SMALL || fragmenting == FRAGMENTING_IN_XDP))
		log_warning(
			"%s: for fragmenting in XDP, set forward.mtu to what may be sent, and: ip "
			"link set dev %s mtu %" PRId64,
			egress, egress, needed);
}

/* `refusal` says why native mode could not be had; empty: it was not tried. */
void warn_of_generic_mode(const char *instance, const struct config *config,
			  const struct error *refusal)
{
	char unit[INSTANCE_UNIT_SIZE];

	if (*refusal->text)
		log_warning("%s; using generic mode, which is several times slower", refusal->text);
	else if (config->listen.xdp_mode == XDP_MODE_AUTO)
		log_warning("still in generic mode, which is several times slower: native mode is "
			    "not tried again while packets flow; vxlan-pipeline check says what "
			    "is in its way, then: systemctl stop %s; systemctl start %s",
			    instance_unit(unit, instance), unit);
}

void warn_of_vlan_tags(const struct config *config, const struct netdev *listen)
{
	const char *name = config->listen.interface;
	struct ethtool_feature vlan = {0}, stag = {0};

	ethtool_read_feature(name, ETHTOOL_RX_VLAN, &vlan);
	ethtool_read_feature(name, ETHTOOL_RX_VLAN_STAG, &stag);
	if (vlan.on || stag.on)
		log_warning(
			"%s takes VLAN tags out of the frames before generic mode sees them: "
			"where the tunnel has one it leaves with the inner packet, and packets "
			"that are passed are lost; ethtool -K %s%s%s%s",
			name, name, vlan.on ? " rxvlan off" : "",
			stag.on ? " " ETHTOOL_RX_VLAN_STAG " off" : "",
			driver_named(listen->driver).has_peer
				? ", and on the peer, which decides that: ethtool -K PEER txvlan "
				  "off"
				: "");
}

void warn_of_local_targets(const struct config *config, const struct datapath_control *control)
{
	const struct ip_address *first = NULL;
	char target[ADDR_TEXT_SIZE], more[32] = "";
	size_t count = 0;

	for (size_t i = 0; control->next_hops && i < control->target_count; i++) {
		if (control->next_hops[i].word[1] >> NEXT_HOP_STATE_SHIFT != NEXT_HOP_LOCAL)
			continue;
		first = first ? first : &control->targets[i];
		count++;
	}
	if (!count)
		return;
	if (count > 1)
		snprintf(more, sizeof(more), " and %zu more", count - 1);
	log_warning("%s%s, which rules send to, %s of this host: packets for it are passed to its "
		    "own stack, and none leaves by %s",
		    ip_address_format(first, target), more,
		    count > 1 ? "are addresses" : "is an address", config->forward.interface);
}

void warn_of_bypass(const struct config *config, const struct progress *progress)
{
	char why[BYPASS_WHY_SIZE], command[BYPASS_COMMAND_SIZE];
	char listen[QUOTE_SIZE(CONFIG_INTERFACE_SIZE)], forward[QUOTE_SIZE(CONFIG_INTERFACE_SIZE)];
	struct bypass bypass;

	if (bypass_find(&bypass, config, progress) <= 0)
		return;
	quote_word(listen, sizeof(listen), config->listen.interface);
	quote_word(forward, sizeof(forward), config->forward.interface);
	log_warning("%s: %s", bypass_explain(&bypass, why),
		    bypass_allow(&bypass, listen, forward, command));
}
