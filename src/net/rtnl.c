// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "net/rtnl.h"
#include "net/rtnl_message.h"

#define EVENT_RECEIVE (4 << 20) /* bytes: the receive buffer for events */

int rtnl_open(struct netlink **out)
{
	return netlink_open(out, NETLINK_ROUTE, 0);
}

static int rtnl_subscribe(int fd)
{
	static const int groups[] = {
		RTNLGRP_LINK,       RTNLGRP_NEIGH,       RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_RULE,  RTNLGRP_IPV6_RULE,   RTNLGRP_NEXTHOP,
	};
	int size = EVENT_RECEIVE;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0 &&
		    groups[i] != RTNLGRP_NEXTHOP) /* Linux 5.3 */
			return -errno;
	}
	return 0;
}

int rtnl_open_events(struct netlink **out)
{
	struct netlink *netlink;
	int err = netlink_open(&netlink, NETLINK_ROUTE, SOCK_NONBLOCK);

	if (err)
		return err;
	err = rtnl_subscribe(netlink_fd(netlink));
	if (err)
		netlink_close(netlink);
	else
		*out = netlink;
	return err;
}

/* `ifindex` 0: out of any interface; `flags`: RTM_F_x */
static int rtnl_ask_route(struct netlink *netlink, const struct ip_address *destination,
			  int ifindex, unsigned int flags, struct rtnl_route_message *answer)
{
	union netlink_request request;
	struct rtmsg *header = netlink_begin(&request, RTM_GETROUTE, 0, sizeof(*header));

	header->rtm_family = rtnl_family(destination);
	header->rtm_dst_len = ip_address_bits(destination);
	header->rtm_flags = flags;
	rtnl_put_address(&request, RTA_DST, destination);
	if (ifindex)
		mnl_attr_put_u32(&request.message, RTA_OIF, ifindex);
	*answer = (struct rtnl_route_message){
		.route = {.type = RTNL_UNICAST, .next_hop = *destination},
	};
	return netlink_ask(netlink, &request, rtnl_parse_route, answer);
}

/* Does the error mean that there is no route, or none of this family on this host? */
static bool rtnl_means_no_route(int err)
{
	return err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EACCES || err == -EINVAL ||
	       err == -EOPNOTSUPP || err == -EAFNOSUPPORT;
}

/*
 * Asks for the routing table's entry for the interface. If there is none, the kernel answers a
 * plain question about IPv4 with a guess: the destination is on the link.
 */
static int rtnl_ask_table(struct netlink *netlink, const struct ip_address *destination,
			  int ifindex, struct rtnl_route_message *answer)
{
	int err = rtnl_ask_route(netlink, destination, ifindex, RTM_F_FIB_MATCH, answer);

	if (!err && answer->type == RTN_UNICAST)
		err = rtnl_ask_route(netlink, destination, ifindex, 0, answer);
	return err;
}

int rtnl_get_route(struct netlink *netlink, const struct ip_address *destination, int ifindex,
		   struct rtnl_route *route)
{
	struct rtnl_route_message answer;
	int err = rtnl_ask_route(netlink, destination, 0, 0, &answer);

	/*
	 * The host prefers another interface, or has no route, as for an interface in a VRF with a
	 * table of its own: ask for a route through the interface that is wanted.
	 */
	if (rtnl_means_no_route(err) ||
	    (!err && answer.type == RTN_UNICAST && answer.ifindex != ifindex))
		err = rtnl_ask_table(netlink, destination, ifindex, &answer);
	memset(route, 0, sizeof(*route));
	if (rtnl_means_no_route(err))
		return 0;
	if (err)
		return err;
	if (answer.type == RTN_LOCAL)
		route->type = RTNL_LOCAL;
	if (answer.type == RTN_UNICAST && answer.ifindex == ifindex)
		*route = answer.route;
	return 0;
}

int rtnl_get_bound_route(struct netlink *netlink, const struct ip_address *destination, int ifindex,
			 struct rtnl_route *route)
{
	struct rtnl_route_message answer;
	int err = rtnl_ask_route(netlink, destination, ifindex, 0, &answer);

	if (!err && answer.type != RTN_UNICAST)
		err = -ENETUNREACH;
	if (!err)
		*route = answer.route;
	return err;
}

static int rtnl_take_mark_bits(const struct nlmsghdr *message, void *data)
{
	const size_t offset = sizeof(struct fib_rule_hdr);
	uint32_t *bits = data, mask;
	const struct nlattr *attribute;

	if (!netlink_header(message, offset))
		return MNL_CB_ERROR;
	mnl_attr_for_each(attribute, message, offset)
	{
		if (mnl_attr_get_type(attribute) == FRA_FWMASK &&
		    netlink_get(attribute, &mask, sizeof(mask)) && mask != UINT32_MAX)
			*bits |= mask;
	}
	return MNL_CB_OK;
}

int rtnl_read_mark_bits(struct netlink *netlink, uint32_t *bits)
{
	union netlink_request request;

	*bits = 0;
	netlink_begin(&request, RTM_GETRULE, NLM_F_DUMP, sizeof(struct fib_rule_hdr));
	return netlink_ask_list(netlink, &request, rtnl_take_mark_bits, bits);
}

int rtnl_get_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address,
		       struct rtnl_neighbour *neighbour)
{
	struct rtnl_neighbour_message answer = {0};
	union netlink_request request;
	int err;

	rtnl_begin_neighbour(&request, RTM_GETNEIGH, 0, ifindex, address);
	err = netlink_ask(netlink, &request, rtnl_parse_neighbour, &answer);
	if (!err)
		*neighbour = answer.neighbour;
	return err;
}

int rtnl_use_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address)
{
	const uint16_t flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
	union netlink_request request;
	struct ndmsg *header =
		rtnl_begin_neighbour(&request, RTM_NEWNEIGH, flags, ifindex, address);

	header->ndm_flags = NTF_USE;
	return netlink_ask(netlink, &request, NULL, NULL);
}

int rtnl_probe_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address)
{
	union netlink_request request;
	struct ndmsg *header =
		rtnl_begin_neighbour(&request, RTM_NEWNEIGH, NLM_F_ACK, ifindex, address);

	/* the request has no MAC: the kernel keeps its own, which may be newer than ours */
	header->ndm_state = NUD_PROBE;
	return netlink_ask(netlink, &request, NULL, NULL);
}

int rtnl_forget_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address)
{
	union netlink_request request;

	rtnl_begin_neighbour(&request, RTM_DELNEIGH, NLM_F_ACK, ifindex, address);
	return netlink_ask(netlink, &request, NULL, NULL);
}

struct rtnl_neighbour_walk {
	int ifindex;
	void (*visit)(void *data, const struct rtnl_neighbour *neighbour);
	void *data;
	bool visited;
};

static int rtnl_take_neighbour(const struct nlmsghdr *message, void *data)
{
	struct rtnl_neighbour_message parsed = {0};
	struct rtnl_neighbour_walk *walk = data;

	if (rtnl_parse_neighbour(message, &parsed) == MNL_CB_ERROR)
		return MNL_CB_ERROR;
	if (parsed.ifindex == walk->ifindex && parsed.neighbour.address.version) {
		walk->visit(walk->data, &parsed.neighbour);
		walk->visited = true;
	}
	return MNL_CB_OK;
}

int rtnl_each_neighbour(struct netlink *netlink, int ifindex,
			void (*visit)(void *data, const struct rtnl_neighbour *neighbour),
			void *data)
{
	struct rtnl_neighbour_walk walk = {.ifindex = ifindex, .visit = visit, .data = data};
	union netlink_request request;

	netlink_begin(&request, RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg)); /* AF_UNSPEC */
	return netlink_ask_list(netlink, &request, rtnl_take_neighbour, &walk);
}

struct rtnl_event_reader {
	struct rtnl_events *events;
	struct rtnl_neighbour_walk walk;
};

static int rtnl_take_event(const struct nlmsghdr *message, void *data)
{
	struct rtnl_event_reader *reader = data;
	const struct ifinfomsg *link;

	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return rtnl_take_neighbour(message, &reader->walk);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		link = netlink_header(message, sizeof(*link));
		if (!link)
			return MNL_CB_ERROR;
		if (link->ifi_index == reader->walk.ifindex)
			reader->events->link = true;
		break;
	default:
		reader->events->routes = true;
	}
	return MNL_CB_OK;
}

int rtnl_read_events(struct netlink *netlink, int ifindex, struct rtnl_events *events,
		     void (*visit)(void *data, const struct rtnl_neighbour *neighbour), void *data)
{
	struct rtnl_event_reader reader = {
		.events = events,
		.walk = {.ifindex = ifindex, .visit = visit, .data = data},
	};
	int err;

	memset(events, 0, sizeof(*events));
	do {
		err = netlink_read(netlink, rtnl_take_event, &reader);
		events->lost |= err == -ENOBUFS;
	} while (!err || err == -ENOBUFS);
	events->neighbours = reader.walk.visited;
	return err == -EAGAIN ? 0 : err;
}
