// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
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
