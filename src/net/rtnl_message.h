/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of rtnetlink, written and read. No function here does any I/O. */
#ifndef NET_RTNL_MESSAGE_H
#define NET_RTNL_MESSAGE_H

#include <linux/if_link.h>
#include <linux/neighbour.h>

#include "net/rtnl.h"

int rtnl_family(const struct ip_address *address); /* AF_x */
void rtnl_put_address(union netlink_request *request, uint16_t type,
		      const struct ip_address *address);

/* A request about one neighbour; returns its header. `type`: RTM_xNEIGH; `flags`: NLM_F_x */
struct ndmsg *rtnl_begin_neighbour(union netlink_request *request, uint16_t type, uint16_t flags,
				   int ifindex, const struct ip_address *address);

/*
 * The functions below read. Each is a netlink_visit whose `data` is the struct above it, zeroed by
 * the caller; an attribute of a wrong size counts as absent. They return MNL_CB_STOP, or
 * MNL_CB_ERROR and EBADMSG in errno if the message is too short for its header.
 */

struct rtnl_route_message {
	int ifindex;
	uint8_t type;            /* RTN_x */
	struct rtnl_route route; /* without its type; next_hop is set only if it is a gateway */
};

int rtnl_parse_route(const struct nlmsghdr *message, void *data);

struct rtnl_neighbour_message {
	int ifindex;
	struct rtnl_neighbour neighbour; /* address.version 0: neither IPv4 nor IPv6 */
};

int rtnl_parse_neighbour(const struct nlmsghdr *message, void *data);

struct rtnl_link_message {
	char name[16]; /* IFNAMSIZ */
	char kind[16]; /* "bond", "vlan", ...; empty: hardware, or a driver that names no kind */
	int master;    /* ifindex; the link is a port of this one; 0: of none */
	uint8_t mac[6];
	int peer;               /* ifindex; 0: no peer is known */
	int32_t peer_namespace; /* its number in this namespace */
	bool elsewhere;         /* the peer is in peer_namespace */
	struct rtnl_link_stats64 stats;
};

int rtnl_parse_link(const struct nlmsghdr *message, void *data);

#endif
