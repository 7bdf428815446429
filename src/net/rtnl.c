// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/cleanup.h"
#include "net/rtnl.h"

#define BUFFER_SIZE   32768
#define EVENT_RECEIVE (4 << 20) /* bytes of events that may wait */
#define NEIGHBOUR_OK  (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

struct rtnl {
	struct mnl_socket *requests;
	struct mnl_socket *events;
	unsigned int sequence;
	char buffer[BUFFER_SIZE];
};

static int open_socket(struct mnl_socket **socket, bool nonblocking)
{
	*socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0));
	if (!*socket || mnl_socket_bind(*socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return 0;
}

static int subscribe(struct mnl_socket *socket)
{
	static const int groups[] = {
		RTNLGRP_LINK,       RTNLGRP_NEIGH,       RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_RULE,  RTNLGRP_IPV6_RULE,   RTNLGRP_NEXTHOP,
	};
	int size = EVENT_RECEIVE, fd = mnl_socket_get_fd(socket);

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
			    0 &&
		    group != RTNLGRP_NEXTHOP) /* Linux 5.3 */
			return -errno;
	}
	return 0;
}

static int open_with(struct rtnl **out, bool events, struct error *error)
{
	struct rtnl *rtnl = calloc(1, sizeof(*rtnl));
	int err = rtnl ? 0 : -ENOMEM;

	if (!err)
		err = open_socket(&rtnl->requests, false);
	if (!err && events)
		err = open_socket(&rtnl->events, true);
	if (!err && events)
		err = subscribe(rtnl->events);
	if (err) {
		rtnl_close(rtnl);
		return error_set(error, err, "cannot %s routes and neighbours: %s",
				 events ? "watch" : "ask for", strerror(-err));
	}
	*out = rtnl;
	return 0;
}

int rtnl_open(struct rtnl **out, struct error *error)
{
	return open_with(out, true, error);
}

int rtnl_open_requests(struct rtnl **out, struct error *error)
{
	return open_with(out, false, error);
}

void rtnl_close(struct rtnl *rtnl)
{
	if (!rtnl)
		return;
	if (rtnl->requests)
		mnl_socket_close(rtnl->requests);
	if (rtnl->events)
		mnl_socket_close(rtnl->events);
	free(rtnl);
}

int rtnl_event_fd(const struct rtnl *rtnl)
{
	return mnl_socket_get_fd(rtnl->events);
}

static int family_of(const struct ip_address *address)
{
	return address->version == 4 ? AF_INET : AF_INET6;
}

static size_t size_of(const struct ip_address *address)
{
	return address->version == 4 ? 4 : 16;
}

/* Takes an address of a message's family out of an attribute. */
static void take_address(const struct nlattr *attribute, int family, struct ip_address *address)
{
	size_t size = family == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(attribute) < size)
		return;
	memset(address, 0, sizeof(*address));
	address->version = family == AF_INET ? 4 : 6;
	memcpy(address->bytes, mnl_attr_get_payload(attribute), size);
}

/* Sends a request and hands every answer to `callback`, until the last one. */
static int ask(struct rtnl *rtnl, struct nlmsghdr *request, mnl_cb_t callback, void *data)
{
	unsigned int port = mnl_socket_get_portid(rtnl->requests);
	int result = MNL_CB_OK;

	/* answers to an earlier request that was given up halfway are passed over */
	request->nlmsg_seq = ++rtnl->sequence;
	if (mnl_socket_sendto(rtnl->requests, request, request->nlmsg_len) < 0)
		return -errno;
	while (result > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(rtnl->requests, rtnl->buffer, BUFFER_SIZE);

		if (length < 0)
			return -errno;
		if (!mnl_nlmsg_seq_ok((struct nlmsghdr *)rtnl->buffer, rtnl->sequence))
			continue;
		result = mnl_cb_run(rtnl->buffer, length, rtnl->sequence, port, callback, data);
	}
	return result < 0 ? -errno : 0;
}

/* What an answer to RTM_GETROUTE says. */
struct route_answer {
	int wanted_ifindex;
	int ifindex;
	unsigned char type; /* RTN_x */
	struct rtnl_route route;
};

static void take_metrics(const struct nlattr *metrics, struct rtnl_route *route)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, metrics)
	{
		if (mnl_attr_get_type(attribute) == RTAX_MTU)
			route->mtu = mnl_attr_get_u32(attribute);
	}
}

static void take_via(const struct nlattr *attribute, struct rtnl_route *route)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);
	size_t length = mnl_attr_get_payload_len(attribute) - sizeof(*via);
	size_t size = via->rtvia_family == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(attribute) < sizeof(*via) || length < size)
		return;
	memset(&route->next_hop, 0, sizeof(route->next_hop));
	route->next_hop.version = via->rtvia_family == AF_INET ? 4 : 6;
	memcpy(route->next_hop.bytes, via->rtvia_addr, size);
}

static int take_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct route_answer *answer = data;
	const struct nlattr *attribute;

	answer->type = header->rtm_type;
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_OIF:
			answer->ifindex = mnl_attr_get_u32(attribute);
			break;
		case RTA_GATEWAY:
			take_address(attribute, header->rtm_family, &answer->route.next_hop);
			break;
		case RTA_VIA:
			take_via(attribute, &answer->route);
			break;
		case RTA_METRICS:
			take_metrics(attribute, &answer->route);
			break;
		}
	}
	return MNL_CB_STOP;
}

/* `flags`: RTM_F_x */
static int ask_route(struct rtnl *rtnl, const struct ip_address *destination, int ifindex,
		     unsigned int flags, struct route_answer *answer)
{
	char buffer[256] = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST;
	header->rtm_family = family_of(destination);
	header->rtm_dst_len = ip_address_bits(destination);
	header->rtm_flags = flags;
	mnl_attr_put(request, RTA_DST, size_of(destination), destination->bytes);
	if (ifindex)
		mnl_attr_put_u32(request, RTA_OIF, ifindex);
	memset(answer, 0, sizeof(*answer));
	answer->route.next_hop = *destination;
	return ask(rtnl, request, take_route, answer);
}

/* How the kernel says that there is no route: none, or none of this family on this host. */
static bool means_no_route(int err)
{
	return err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EACCES || err == -EINVAL ||
	       err == -EOPNOTSUPP || err == -EAFNOSUPPORT;
}

/*
 * What the routing table has for the interface. Without an entry there the kernel answers a plain
 * question for IPv4 with a guess: that the destination is on the link.
 */
static int ask_table(struct rtnl *rtnl, const struct ip_address *destination, int ifindex,
		     struct route_answer *answer)
{
	int err = ask_route(rtnl, destination, ifindex, RTM_F_FIB_MATCH, answer);

	if (!err && answer->type == RTN_UNICAST)
		err = ask_route(rtnl, destination, ifindex, 0, answer);
	return err;
}

int rtnl_get_route(struct rtnl *rtnl, const struct ip_address *destination, int ifindex,
		   struct rtnl_route *route)
{
	struct route_answer answer;
	int err = ask_route(rtnl, destination, 0, 0, &answer);

	/* the host's own preference is another interface: what is there through the one wanted? */
	if (!err && answer.type == RTN_UNICAST && answer.ifindex != ifindex)
		err = ask_table(rtnl, destination, ifindex, &answer);
	memset(route, 0, sizeof(*route));
	if (means_no_route(err))
		return 0;
	if (err)
		return err;
	if (answer.type == RTN_LOCAL)
		route->type = RTNL_LOCAL;
	if (answer.type != RTN_UNICAST || answer.ifindex != ifindex)
		return 0;
	*route = answer.route;
	route->type = RTNL_UNICAST;
	return 0;
}

struct neighbour_visit {
	int ifindex;
	void (*visit)(void *data, const struct rtnl_neighbour *neighbour);
	void *data;
	bool visited;
};

static int take_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct neighbour_visit *visit = data;
	struct rtnl_neighbour neighbour = {0};
	const struct nlattr *attribute;
	bool has_mac = false;

	if (header->ndm_ifindex != visit->ifindex ||
	    (header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		if (mnl_attr_get_type(attribute) == NDA_DST)
			take_address(attribute, header->ndm_family, &neighbour.address);
		if (mnl_attr_get_type(attribute) == NDA_LLADDR &&
		    mnl_attr_get_payload_len(attribute) == sizeof(neighbour.mac)) {
			memcpy(neighbour.mac, mnl_attr_get_payload(attribute),
			       sizeof(neighbour.mac));
			has_mac = true;
		}
	}
	if (!neighbour.address.version)
		return MNL_CB_OK;
	neighbour.valid =
		has_mac && message->nlmsg_type == RTM_NEWNEIGH && header->ndm_state & NEIGHBOUR_OK;
	neighbour.stale = header->ndm_state & NUD_STALE;
	neighbour.failed = header->ndm_state & NUD_FAILED;
	visit->visit(visit->data, &neighbour);
	visit->visited = true;
	return MNL_CB_OK;
}

int rtnl_each_neighbour(struct rtnl *rtnl, int ifindex,
			void (*visit)(void *data, const struct rtnl_neighbour *neighbour),
			void *data)
{
	struct neighbour_visit state = {.ifindex = ifindex, .visit = visit, .data = data};
	char buffer[256] = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	request->nlmsg_type = RTM_GETNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->ndm_family = AF_UNSPEC;
	return ask(rtnl, request, take_neighbour, &state);
}

int rtnl_use_neighbour(struct rtnl *rtnl, int ifindex, const struct ip_address *address)
{
	char buffer[256] = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

	request->nlmsg_type = RTM_NEWNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
	header->ndm_family = family_of(address);
	header->ndm_ifindex = ifindex;
	header->ndm_flags = NTF_USE;
	mnl_attr_put(request, NDA_DST, size_of(address), address->bytes);
	return ask(rtnl, request, NULL, NULL);
}

struct event_reader {
	struct rtnl_events *events;
	struct neighbour_visit visit;
};

static int take_event(const struct nlmsghdr *message, void *data)
{
	struct event_reader *reader = data;
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return take_neighbour(message, &reader->visit);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (link->ifi_index == reader->visit.ifindex)
			reader->events->link = true;
		break;
	default:
		reader->events->routes = true;
	}
	return MNL_CB_OK;
}

int rtnl_read_events(struct rtnl *rtnl, int ifindex, struct rtnl_events *events,
		     void (*visit)(void *data, const struct rtnl_neighbour *neighbour), void *data)
{
	struct event_reader reader = {.events = events,
				      .visit = {.ifindex = ifindex, .visit = visit, .data = data}};

	memset(events, 0, sizeof(*events));
	for (;;) {
		ssize_t length = mnl_socket_recvfrom(rtnl->events, rtnl->buffer, BUFFER_SIZE);

		if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (length < 0 && errno == ENOBUFS) {
			events->lost = true;
			continue;
		}
		if (length < 0)
			return -errno;
		mnl_cb_run(rtnl->buffer, length, 0, 0, take_event, &reader);
	}
	events->neighbours = reader.visit.visited;
	return 0;
}
