/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel has counted of an interface since it came up (ip -s link). */
#ifndef NET_RTNL_STATS_H
#define NET_RTNL_STATS_H

#include <linux/if_link.h>

/* In this process's network namespace. 0, or -errno. */
int rtnl_read_stats(const char *interface, struct rtnl_link_stats64 *stats);

#endif
