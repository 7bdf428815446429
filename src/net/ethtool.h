/* SPDX-License-Identifier: GPL-2.0-only */
/* What ethtool(8) shows of an interface, asked of the kernel (linux/ethtool.h). */
#ifndef NET_ETHTOOL_H
#define NET_ETHTOOL_H

#include <stddef.h>
#include <stdint.h>

/* One statistic of the driver's own, named by the driver. */
struct ethtool_stat {
	char name[33];
	uint64_t value;
};

/*
 * Reads all statistics of an interface, in the driver's order; the caller frees them. 0, or -errno
 * and the outputs are untouched; -EOPNOTSUPP: the driver has none.
 */
int ethtool_read_stats(const char *interface, struct ethtool_stat **stats, size_t *count);

/*
 * Sends one request, a struct of linux/ethtool.h with its `cmd` filled in; the kernel writes its
 * answer into it. 0 or -errno; -EOPNOTSUPP: the driver does not know the request.
 */
int ethtool_request(const char *interface, void *command);

#endif
