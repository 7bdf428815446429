/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes links, neighbours and routes in this process's network namespace, for the sandbox of
 * `explain`. `netlink`: from rtnl_open(). Names have less than IF_NAMESIZE bytes. 0 or -errno.
 */
#ifndef NET_RTNL_SETUP_H
#define NET_RTNL_SETUP_H

#include <stdint.h>

#include "base/addr.h"
#include "net/netlink.h"

/* Sets a link up, and renames it to `name` unless that is NULL. */
int rtnl_start_link(struct netlink *netlink, int ifindex, const char *name);

/* Creates a pair, and sets the end up that is not `peer`. */
int rtnl_create_veth(struct netlink *netlink, const char *name, const char *peer,
		     const uint8_t mac[6], uint32_t mtu);
/* Adds a permanent neighbour. */
int rtnl_add_neighbour(struct netlink *netlink, int ifindex, const struct ip_address *address,
		       const uint8_t mac[6]);
/* The gateway need not be on a network of the interface. `mtu`: the route's, locked; 0: none */
int rtnl_add_default_route(struct netlink *netlink, int ifindex, const struct ip_address *gateway,
			   uint32_t mtu);

#endif
