/* SPDX-License-Identifier: GPL-2.0-only */
/* Routes, neighbours and changes of both, over rtnetlink. Functions return 0 or -errno. */
#ifndef NET_RTNL_H
#define NET_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/netlink.h"

/* A socket for requests. */
int rtnl_open(struct netlink **out);
/* A socket that receives events and never blocks. */
int rtnl_open_events(struct netlink **out);

enum rtnl_route_type { RTNL_NO_ROUTE, RTNL_UNICAST, RTNL_LOCAL };

struct rtnl_route {
	enum rtnl_route_type type;
	struct ip_address next_hop; /* the gateway, or the destination itself */
	struct ip_address source;   /* version 0: the interface has no address */
	uint32_t mtu;               /* of the route, in bytes; 0: it has none */
};

/*
 * The way from this host to `destination` out of the interface `ifindex`; RTNL_LOCAL if it is an
 * address of this host. -errno only if the kernel cannot be asked.
 */
int rtnl_get_route(struct netlink *netlink, const struct ip_address *destination, int ifindex,
		   struct rtnl_route *route);

/*
 * The way of packets from a socket that is bound to the interface: if the table has no entry, the
 * kernel takes an IPv4 destination to be on the link. -ENETUNREACH: no unicast route.
 */
int rtnl_get_bound_route(struct netlink *netlink, const struct ip_address *destination, int ifindex,
			 struct rtnl_route *route);

/*
 * The bits of marks that routing rules (`ip rule`) look at. Those of rules that compare the whole mark
 * are left out.
 */
int rtnl_read_mark_bits(struct netlink *netlink, uint32_t *bits);

struct rtnl_neighbour {
	struct ip_address address;
	uint8_t mac[6];
	bool valid;   /* mac may be used */
	bool stale;   /* mac should be confirmed */
	bool failed;  /* nobody answers there */
	bool gone;    /* the kernel has forgotten it */
	bool lasting; /* set by hand, or never resolved (NUD_PERMANENT, NUD_NOARP) */
};

/* -ENOENT: the kernel does not know it. */
int rtnl_get_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address,
		       struct rtnl_neighbour *neighbour);
/* Calls `visit` for each neighbour on the interface that the kernel knows. */
int rtnl_each_neighbour(struct netlink *netlink, int ifindex,
			void (*visit)(void *data, const struct rtnl_neighbour *neighbour),
			void *data);
/* Makes the kernel resolve a neighbour, or confirm one that it knows. */
int rtnl_use_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address);

/* Makes the kernel confirm a neighbour by asking it directly; its MAC stays in use meanwhile. */
int rtnl_probe_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address);
/* Removes a neighbour from the kernel's table; -ENOENT: it is not there. */
int rtnl_forget_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address);

/* What a batch of events means. */
struct rtnl_events {
	bool routes;     /* routes, rules or addresses changed */
	bool neighbours; /* neighbours on the interface changed: visit() was called for each */
	bool link;       /* the interface changed: MAC, MTU or state */
	bool lost;       /* events were lost: anything may have changed */
};

/* Reads all waiting events that concern the interface. */
int rtnl_read_events(struct netlink *netlink, int ifindex, struct rtnl_events *events,
		     void (*visit)(void *data, const struct rtnl_neighbour *neighbour), void *data);

#endif
