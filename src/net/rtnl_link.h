/* SPDX-License-Identifier: GPL-2.0-only */
/* Links of this process's network namespace. Functions return 0 or -errno. */
#ifndef NET_RTNL_LINK_H
#define NET_RTNL_LINK_H

#include <stdint.h>

#include <linux/if_link.h>

/* What the kernel has counted since the link came up (ip -s link). */
int rtnl_read_stats(int ifindex, struct rtnl_link_stats64 *stats);
/* The MAC of the other end of a veth, in whichever namespace it is. -ENODEV: it has no such end. */
int rtnl_find_peer(int ifindex, uint8_t mac[6]);

#endif
