// SPDX-License-Identifier: GPL-2.0-only
/* The checks of what interfaces are, and of what the kernel would have done to packets on their way out. */
#include <linux/if_arp.h>

#include "check/internal.h"
#include "net/rtnl_link.h"

/* `run` refuses it, too. */
static void judge_type(const struct check *check, const struct host_link *link, const char *key)
{
	char text[RTNL_KIND_SIZE];

	if (link->type == HOST_UNKNOWN || link->type == ARPHRD_ETHER)
		return;
	check_fix(check_find(check, FINDING_FAIL,
			     "%s: %s is of type %s, and XDP would give and take Ethernet frames "
			     "where it has none; name an Ethernet interface",
			     key, link->name,
			     rtnl_kind_format((uint16_t)link->type, link->kind, text)),
		  "ip -d link show dev %s", check_word(check, link));
}

/* A port of a bridge may be meant; one of several of a bond sees a share of the packets only. */
static void judge_listen_port(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	if (rtnl_kind_is_share(link->master_kind))
		check_find(check, FINDING_WARN,
			   "%s is a port of %s (%s): what comes in by its other ports is not seen; "
			   "say `interface: %s` under `listen`",
			   link->name, link->master, link->master_kind, link->master);
}

/* What keeps the kernel from telling next hops, whatever its routes are. */
static void judge_next_hops(const struct check *check)
{
	const struct host_link *link = &check->host->forward;

	if (rtnl_kind_has_no_routes(link->master_kind))
		check_find(check, FINDING_WARN,
			   "%s is a port of %s (%s), and the kernel's routes lead out of %s, not "
			   "out of its ports; say `interface: %s` under `forward`, or the MAC of "
			   "the next hop as `next_hop`",
			   link->name, link->master, link->master_kind, link->master, link->master);
	if (link->arp == ANSWER_NO)
		check_fix(
			check_find(check, FINDING_WARN,
				   "%s has no ARP (NOARP): nobody is asked for the MAC of a next "
				   "hop, and frames leave addressed to the interface itself; where "
				   "it is to stay so, say that MAC as `next_hop` under `forward`",
				   link->name),
			"ip link set dev %s arp on", check_word(check, link));
}

void check_ethernet(const struct check *check)
{
	judge_type(check, &check->host->listen, "listen.interface");
	if (!check->single_arm)
		judge_type(check, &check->host->forward, "forward.interface");
	judge_listen_port(check);
	if (check->config->forward.next_hop == NEXT_HOP_ROUTE)
		judge_next_hops(check);
}
