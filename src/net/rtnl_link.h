/* SPDX-License-Identifier: GPL-2.0-only */
/* Links of this process's network namespace. Functions return 0 or -errno. */
#ifndef NET_RTNL_LINK_H
#define NET_RTNL_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if_link.h>

/* What the kernel has counted since the link came up (ip -s link). */
int rtnl_read_stats(int ifindex, struct rtnl_link_stats64 *stats);
/* The MAC of a veth's other end, in whichever namespace that is. -ENODEV: it has no other end. */
int rtnl_find_peer(int ifindex, uint8_t mac[6]);

/* The kind of a link, and of the link above it. */
struct rtnl_kind {
	char name[16];   /* "bond", "vlan", ...; empty: hardware, or a driver that names no kind */
	char master[16]; /* the link is a port of this one; empty: of none */
	char master_kind[16]; /* "bridge", "bond", ... */
};

int rtnl_read_kind(int ifindex, struct rtnl_kind *kind);
/* Do several ports of such a master share one stream of packets, as those of a bond do? */
bool rtnl_kind_is_share(const char *master_kind);
/* Do addresses and routes belong to such a master, and not to its ports? */
bool rtnl_kind_has_no_routes(const char *master_kind);

/*
 * The type in ip(8)'s words: "wireguard (link/none)", or "link/loopback" if the kind has no name.
 * Returns `text`.
 */
#define RTNL_KIND_SIZE 48
const char *rtnl_kind_format(uint16_t type, const char *name, char *text);

#endif
