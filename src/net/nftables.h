/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands to nftables, as nft(8) takes them. The only place that knows libnftables. */
#ifndef NET_NFTABLES_H
#define NET_NFTABLES_H

#include <jansson.h>

#include "base/error.h"

/*
 * Runs commands as one transaction: all of them or none. 0, or -errno; -EOPNOTSUPP: the kernel has no
 * nftables. *error ends with nft's own words.
 */
int nftables_run(const char *commands, struct error *error);

/* What a `list` command prints as JSON, the array below "nftables"; NULL: it failed. To be freed. */
json_t *nftables_list(const char *command);

#endif
