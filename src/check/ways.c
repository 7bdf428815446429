// SPDX-License-Identifier: GPL-2.0-only
/* The checks of what sort the interfaces are, and of what XDP bypasses. */
#include <string.h>

#include <linux/if_arp.h>

#include "check/internal.h"
#include "net/ethtool_features.h"
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

/* Listening on one port of a bridge makes sense; one port of a bond sees only some of the packets. */
static void judge_listen_port(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	if (rtnl_kind_is_share(link->master_kind))
		check_find(check, FINDING_WARN,
			   "%s is a port of %s (%s): what comes in by its other ports is not seen; "
			   "say `interface: %s` under `listen`",
			   link->name, link->master, link->master_kind, link->master);
}

/* Routes or neighbours that forward.interface cannot have. */
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

/* Will the instance run in generic mode, or does it? */
static bool is_generic(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	if (check->config->listen.xdp_mode != XDP_MODE_AUTO)
		return check->config->listen.xdp_mode == XDP_MODE_GENERIC;
	if (strcmp(link->xdp_owner, "instance") == 0)
		return strcmp(link->xdp_mode, "generic") == 0;
	return check->listen.native == ANSWER_NO || check->forward.native == ANSWER_NO;
}

void check_vlan_tags(const struct check *check)
{
	const struct host_link *link = &check->host->listen;
	bool vlan = link->rx_vlan == ANSWER_YES, stag = link->rx_stag == ANSWER_YES;
	struct finding *finding;

	if (!is_generic(check) || (!vlan && !stag))
		return;
	finding =
		check_find(check, FINDING_WARN,
			   "%s takes VLAN tags out of the frames before generic mode sees them: "
			   "where the tunnel has one it leaves with the inner packet, and packets "
			   "that are passed are lost%s%s",
			   link->name,
			   check->listen.has_peer ? "; a veth's peer decides that: on the peer: "
						    "ethtool -K PEER txvlan off"
						  : "",
			   link->rx_vlan_fixed == ANSWER_YES
				   ? "; its driver cannot be told to leave them"
				   : "");
	if (link->rx_vlan_fixed != ANSWER_YES)
		check_fix(finding, "ethtool -K %s%s%s", check_word(check, link),
			  vlan ? " rxvlan off" : "", stag ? " " ETHTOOL_RX_VLAN_STAG " off" : "");
}

/* Plaintext leaves although it must not: that is a failure, not a warning. */
void check_ipsec(const struct check *check)
{
	const struct host *host = check->host;
	struct bypass bypass = {.rules = (size_t)host->ipsec_rules,
				.rule = (size_t)host->ipsec_rule,
				.priority = (uint32_t)host->ipsec_priority};
	bool arrives = strcmp(host->ipsec_direction, "fwd") == 0 &&
		       strcmp(host->ipsec_demand, "block") != 0;
	char why[BYPASS_WHY_SIZE], command[BYPASS_COMMAND_SIZE];

	if (host->ipsec_rules == HOST_UNKNOWN)
		check_find(
			check, FINDING_OK,
			"not known: IPsec's policies could not be read, which takes CAP_NET_ADMIN");
	if (host->ipsec_rules <= 0)
		return;
	if (host->ipsec_rule &&
	    !check_is_target(check->config, host->ipsec_rule, host->ipsec_target)) {
		check_find(check, FINDING_OK,
			   "not known: IPsec's policies were looked at for other rules");
		return;
	}
	if (host->ipsec_rule)
		rule_name_add(&check->config->rules[host->ipsec_rule - 1], bypass.name);
	memcpy(bypass.target, host->ipsec_target, sizeof(bypass.target));
	memcpy(bypass.policy, host->ipsec_policy, sizeof(bypass.policy));
	memcpy(bypass.demand, host->ipsec_demand, sizeof(bypass.demand));
	memcpy(bypass.direction, host->ipsec_direction, sizeof(bypass.direction));
	check_fix(check_find(check, arrives ? FINDING_WARN : FINDING_FAIL, "%s",
			     bypass_explain(&bypass, why)),
		  "%s", bypass_allow(&bypass, check->listen_word, check->forward_word, command));
}
