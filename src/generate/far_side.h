/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel knows of the way to the far side. Addresses in host order; 0 or -errno. */
#ifndef GENERATE_FAR_SIDE_H
#define GENERATE_FAR_SIDE_H

#include <stdbool.h>
#include <stdint.h>

struct generator_route {
	uint32_t next_hop; /* the destination itself when it is on the link */
	uint32_t source;   /* 0: the interface has no address */
	bool usable;
};

/* How many packets the interface has sent, by its own count. */
int generator_count_transmitted(int ifindex, uint64_t *packets);
/* The MAC of the other end of a veth, in whichever namespace it is. -ENODEV: it has no such end. */
int generator_find_peer(int ifindex, uint8_t mac[6]);
/* The way to a destination out of this interface. */
int generator_find_route(int ifindex, uint32_t destination, struct generator_route *route);
/* Has the address resolved if it is not; -EHOSTUNREACH after a second without an answer. */
int generator_find_neighbour(const char *interface, int ifindex, uint32_t address, uint8_t mac[6]);

#endif
