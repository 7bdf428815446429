/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps the datapath's next hops (struct next_hop) as the kernel's routing and neighbour tables have
 * them: one for each target that rules name, refreshed on every event that may change it.
 */
#ifndef DAEMON_NEXT_HOPS_H
#define DAEMON_NEXT_HOPS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/pipeline.h"
#include "base/addr.h"
#include "base/error.h"
#include "base/progress.h"

struct next_hops;

struct next_hops_setup {
	const struct ip_address *targets; /* stay the caller's, and must outlive the next hops */
	size_t count;
	struct next_hop
		*table; /* table[i] is the way to targets[i]; may hold what was known before */
	/* a second place for the way to targets[only_index], if there is one */
	struct next_hop *only;
	size_t only_index;
	int ifindex; /* of forward.interface */
	char interface[16];
	struct progress progress; /* told while many are found, then and later */
};

/* Finds all next hops for the first time. */
int next_hops_open(struct next_hops **out, const struct next_hops_setup *setup,
		   struct error *error);
void next_hops_close(struct next_hops *hops); /* NULL is allowed */

int next_hops_fd(const struct next_hops *hops); /* readable when next_hops_handle() is due */
/* `now` here and below: CLOCK_MONOTONIC, in ms. */
void next_hops_handle(struct next_hops *hops, int64_t now);

/* Has the kernel look for a neighbour that packets without a rule want. */
void next_hops_ask(struct next_hops *hops, const struct ip_address *address, int64_t now);

/* Waits until something is known of each next hop, but not longer than `ms`. */
void next_hops_wait(struct next_hops *hops, int64_t ms);

/* Does what is due at `now` and returns when it wants to be called again. */
int64_t next_hops_tick(struct next_hops *hops, int64_t now);

/*
 * Writes one entry of the table, which the datapath may read meanwhile: word 1 first, then word 0.
 * Each word is written whole; an entry that may be used never holds half of a new source address.
 * `to` and `from`, Ethernet addresses, count with NEXT_HOP_RESOLVED only. Public for its unit test.
 */
void next_hop_publish(struct next_hop *entry, const uint8_t *to, const uint8_t *from, uint32_t mtu,
		      enum next_hop_state state);

#endif
