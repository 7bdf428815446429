/* SPDX-License-Identifier: GPL-2.0-only */
/* Routes, neighbours and changes of both, over rtnetlink. */
#ifndef NET_RTNL_H
#define NET_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

struct rtnl; /* one socket for requests and one for events */

int rtnl_open(struct rtnl **out, struct error *error);
/* One that is only asked, and has no events. */
int rtnl_open_requests(struct rtnl **out, struct error *error);
void rtnl_close(struct rtnl *rtnl); /* NULL is allowed */
int rtnl_event_fd(const struct rtnl *rtnl);

enum rtnl_route_type { RTNL_NO_ROUTE, RTNL_UNICAST, RTNL_LOCAL };

struct rtnl_route {
	enum rtnl_route_type type;
	struct ip_address next_hop; /* the gateway, or the destination itself */
	uint32_t mtu;               /* of the route, in bytes; 0: it has none */
};

/*
 * The way from this host to `destination` out of the interface `ifindex`; RTNL_LOCAL if it is an
 * address of this host. 0, or -errno when the kernel cannot be asked.
 */
int rtnl_get_route(struct rtnl *rtnl, const struct ip_address *destination, int ifindex,
		   struct rtnl_route *route);

struct rtnl_neighbour {
	struct ip_address address;
	uint8_t mac[6];
	bool valid;  /* mac may be used */
	bool stale;  /* but should be confirmed */
	bool failed; /* nobody answers there */
};

/* Calls `visit` for each neighbour on the interface that the kernel knows. 0 or -errno. */
int rtnl_each_neighbour(struct rtnl *rtnl, int ifindex,
			void (*visit)(void *data, const struct rtnl_neighbour *neighbour),
			void *data);
/* Makes the kernel look for a neighbour, or confirm the one it knows. */
int rtnl_use_neighbour(struct rtnl *rtnl, int ifindex, const struct ip_address *address);

/* What a batch of events means. */
struct rtnl_events {
	bool routes;     /* routes, rules or addresses changed */
	bool neighbours; /* some neighbour on the interface changed: visit() was called for it */
	bool link;       /* the interface changed: MAC, MTU or state */
	bool lost;       /* events were lost: anything may have changed */
};

/* Reads all waiting events that concern the interface; 0 or -errno. */
int rtnl_read_events(struct rtnl *rtnl, int ifindex, struct rtnl_events *events,
		     void (*visit)(void *data, const struct rtnl_neighbour *neighbour), void *data);

#endif
