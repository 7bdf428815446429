// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

#include "net/rtnl_link.h"
#include "net/rtnl_message.h"

/* `beside`: the link is in the namespace that this one names for its peer; NULL: in this one. */
static int rtnl_ask_link(struct netlink *netlink, int ifindex,
			 const struct rtnl_link_message *beside, struct rtnl_link_message *link)
{
	union netlink_request request;
	struct ifinfomsg *header = netlink_begin(&request, RTM_GETLINK, 0, sizeof(*header));

	header->ifi_index = ifindex;
	if (beside && beside->elsewhere)
		mnl_attr_put_u32(&request.message, IFLA_TARGET_NETNSID, beside->peer_namespace);
	return netlink_ask(netlink, &request, rtnl_parse_link, link);
}

int rtnl_read_stats(int ifindex, struct rtnl_link_stats64 *stats)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	struct rtnl_link_message link = {0};
	int err = rtnl_open(&netlink);

	if (!err)
		err = rtnl_ask_link(netlink, ifindex, NULL, &link);
	if (!err)
		*stats = link.stats;
	return err;
}

int rtnl_find_peer(int ifindex, uint8_t mac[6])
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	struct rtnl_link_message link = {0}, peer = {0};
	int err = rtnl_open(&netlink);

	if (!err)
		err = rtnl_ask_link(netlink, ifindex, NULL, &link);
	if (!err && !link.peer)
		err = -ENODEV;
	if (!err)
		err = rtnl_ask_link(netlink, link.peer, &link, &peer);
	if (!err)
		memcpy(mac, peer.mac, sizeof(peer.mac));
	return err;
}

int rtnl_read_kind(int ifindex, struct rtnl_kind *kind)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	struct rtnl_link_message link = {0}, master = {0};
	int err = rtnl_open(&netlink);

	if (!err)
		err = rtnl_ask_link(netlink, ifindex, NULL, &link);
	if (!err && link.master)
		err = rtnl_ask_link(netlink, link.master, NULL, &master);
	if (err)
		return err;
	memcpy(kind->name, link.kind, sizeof(kind->name));
	memcpy(kind->master, master.name, sizeof(kind->master));
	memcpy(kind->master_kind, master.kind, sizeof(kind->master_kind));
	return 0;
}

/* Link types in ip(8)'s words. */
static const struct {
	uint16_t type;
	const char *word;
} rtnl_types[] = {
	{ARPHRD_ETHER, "ether"},
	{ARPHRD_INFINIBAND, "infiniband"},
	{ARPHRD_SLIP, "slip"},
	{ARPHRD_CAN, "can"},
	{ARPHRD_PPP, "ppp"},
	{ARPHRD_RAWIP, "rawip"},
	{ARPHRD_TUNNEL, "ipip"},
	{ARPHRD_TUNNEL6, "tunnel6"},
	{ARPHRD_LOOPBACK, "loopback"},
	{ARPHRD_SIT, "sit"},
	{ARPHRD_IPGRE, "gre"},
	{ARPHRD_IP6GRE, "gre6"},
	{ARPHRD_IEEE80211, "ieee802.11"},
	{ARPHRD_IEEE80211_PRISM, "ieee802.11/prism"},
	{ARPHRD_IEEE80211_RADIOTAP, "ieee802.11/radiotap"},
	{ARPHRD_IEEE802154, "ieee802.15.4"},
	{ARPHRD_6LOWPAN, "6lowpan"},
	{ARPHRD_NETLINK, "netlink"},
	{ARPHRD_VSOCKMON, "vsockmon"},
	{ARPHRD_VOID, "void"},
	{ARPHRD_NONE, "none"},
};

const char *rtnl_kind_format(uint16_t type, const char *name, char *text)
{
	const char *word = NULL;
	char number[16];

	for (size_t i = 0; i < sizeof(rtnl_types) / sizeof(rtnl_types[0]); i++) {
		if (rtnl_types[i].type == type)
			word = rtnl_types[i].word;
	}
	snprintf(number, sizeof(number), "[%u]", type);
	if (*name)
		snprintf(text, RTNL_KIND_SIZE, "%s (link/%s)", name, word ? word : number);
	else
		snprintf(text, RTNL_KIND_SIZE, "link/%s", word ? word : number);
	return text;
}

bool rtnl_kind_is_share(const char *master_kind)
{
	return strcmp(master_kind, "bond") == 0 || strcmp(master_kind, "team") == 0;
}

/* Members of a VRF have routes. */
bool rtnl_kind_has_no_routes(const char *master_kind)
{
	return rtnl_kind_is_share(master_kind) || strcmp(master_kind, "bridge") == 0 ||
	       strcmp(master_kind, "openvswitch") == 0;
}
