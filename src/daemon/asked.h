/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Neighbours that packets without a rule want: the kernel is asked to look for them, a bounded number
 * at a time, and forgets those that nobody answers for. So captured packets to a million addresses
 * where nobody lives do not fill the kernel's table.
 */
#ifndef DAEMON_ASKED_H
#define DAEMON_ASKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/rtnl.h"

#define ASKED_MAX 128 /* that may be waited for at once; the kernel takes 3 s to give one up */

struct asked {
	struct asked_neighbour {
		struct ip_address address;
		int64_t until; /* CLOCK_MONOTONIC, ms: given up without a word of the kernel */
	} list[ASKED_MAX];
	size_t count;
};

/* Has the kernel look for it, unless it does so already or too many are waited for. */
void asked_add(struct asked *asked, struct netlink *netlink, int ifindex,
	       const struct ip_address *address, int64_t now);
/* Takes in what the kernel says of a neighbour. */
void asked_learn(struct asked *asked, struct netlink *netlink, int ifindex,
		 const struct rtnl_neighbour *news);

#endif
