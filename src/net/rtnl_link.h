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

/* What sort of link one is. */
struct rtnl_kind {
	char name[16];        /* "bond", "vlan", ...; empty: hardware's, or one that names none */
	char master[16];      /* the link that it is a port of; empty: of none */
	char master_kind[16]; /* "bridge", "bond", ... */
};

int rtnl_read_kind(int ifindex, struct rtnl_kind *kind);
/* Is it one of several ports that carry the same traffic: of a bond or a team? By `master_kind`. */
bool rtnl_kind_is_share(const char *master_kind);
/* Do addresses and routes belong to what it is a port of, and not to it? */
bool rtnl_kind_has_no_routes(const char *master_kind);

/*
 * As ip(8) says it: "wireguard (link/none)", or "link/loopback" where the kind has no name. Returns
 * `text`.
 */
#define RTNL_KIND_SIZE 48
const char *rtnl_kind_format(uint16_t type, const char *name, char *text);

#endif
