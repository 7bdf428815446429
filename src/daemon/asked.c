// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "daemon/asked.h"

#define PATIENCE_MS 5000

static void asked_remove(struct asked *asked, size_t i)
{
	asked->list[i] = asked->list[--asked->count];
}

void asked_add(struct asked *asked, struct netlink *netlink, int ifindex,
	       const struct ip_address *address, int64_t now)
{
	for (size_t i = 0; i < asked->count;) {
		if (now >= asked->list[i].until)
			asked_remove(asked, i);
		else if (memcmp(&asked->list[i].address, address, sizeof(*address)) == 0)
			return;
		else
			i++;
	}
	if (asked->count == ASKED_MAX || rtnl_use_neighbour(netlink, ifindex, address))
		return;
	asked->list[asked->count++] =
		(struct asked_neighbour){.address = *address, .until = now + PATIENCE_MS};
}

void asked_learn(struct asked *asked, struct netlink *netlink, int ifindex,
		 const struct rtnl_neighbour *news)
{
	for (size_t i = 0; i < asked->count; i++) {
		if (memcmp(&asked->list[i].address, &news->address, sizeof(news->address)) != 0)
			continue;
		if (news->failed)
			rtnl_forget_neighbour(netlink, ifindex, &news->address);
		if (news->failed || news->valid)
			asked_remove(asked, i);
		return;
	}
}
