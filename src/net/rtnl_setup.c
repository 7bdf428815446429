// SPDX-License-Identifier: GPL-2.0-only
#include <net/if.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "net/rtnl_message.h"
#include "net/rtnl_setup.h"

static void rtnl_begin_up(union netlink_request *request, uint16_t flags, int ifindex)
{
	struct ifinfomsg *header =
		netlink_begin(request, RTM_NEWLINK, NLM_F_ACK | flags, sizeof(*header));

	header->ifi_index = ifindex;
	header->ifi_flags = IFF_UP;
	header->ifi_change = IFF_UP;
}

int rtnl_start_link(struct netlink *netlink, int ifindex, const char *name)
{
	union netlink_request request;

	rtnl_begin_up(&request, 0, ifindex);
	if (name)
		mnl_attr_put_strz(&request.message, IFLA_IFNAME, name);
	return netlink_ask(netlink, &request, NULL, NULL);
}

static void rtnl_put_peer(struct nlmsghdr *message, const char *name)
{
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	struct nlattr *data, *peer;

	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

int rtnl_create_veth(struct netlink *netlink, const char *name, const char *peer,
		     const uint8_t mac[6], uint32_t mtu)
{
	union netlink_request request;

	rtnl_begin_up(&request, NLM_F_CREATE | NLM_F_EXCL, 0);
	mnl_attr_put_strz(&request.message, IFLA_IFNAME, name);
	mnl_attr_put(&request.message, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u32(&request.message, IFLA_MTU, mtu);
	rtnl_put_peer(&request.message, peer);
	return netlink_ask(netlink, &request, NULL, NULL);
}

int rtnl_add_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address,
		       const uint8_t mac[6])
{
	const uint16_t flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
	union netlink_request request;
	struct ndmsg *header =
		rtnl_begin_neighbour(&request, RTM_NEWNEIGH, flags, ifindex, address);

	header->ndm_state = NUD_PERMANENT;
	mnl_attr_put(&request.message, NDA_LLADDR, 6, mac);
	return netlink_ask(netlink, &request, NULL, NULL);
}

int rtnl_add_default_route(struct netlink *netlink, int ifindex, const struct ip_address *gateway,
			   uint32_t mtu)
{
	const uint16_t flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	union netlink_request request;
	struct rtmsg *header = netlink_begin(&request, RTM_NEWROUTE, flags, sizeof(*header));
	struct nlattr *metrics;

	header->rtm_family = rtnl_family(gateway);
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = RTPROT_STATIC;
	header->rtm_scope = RT_SCOPE_UNIVERSE;
	header->rtm_type = RTN_UNICAST;
	header->rtm_flags = RTNH_F_ONLINK;
	rtnl_put_address(&request, RTA_GATEWAY, gateway);
	mnl_attr_put_u32(&request.message, RTA_OIF, ifindex);
	if (mtu) {
		metrics = mnl_attr_nest_start(&request.message, RTA_METRICS);
		mnl_attr_put_u32(&request.message, RTAX_LOCK, 1U << RTAX_MTU);
		mnl_attr_put_u32(&request.message, RTAX_MTU, mtu);
		mnl_attr_nest_end(&request.message, metrics);
	}
	return netlink_ask(netlink, &request, NULL, NULL);
}
