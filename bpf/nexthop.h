/* SPDX-License-Identifier: GPL-2.0-only */
/* Which Ethernet addresses take a packet to its destination, and how large it may be on the way. */
#ifndef NEXTHOP_H
#define NEXTHOP_H

#include "kernel.h"

/* Bytes 0-5 are `to`, 6-11 `from`, as in a frame. */
static __always_inline void set_addresses(struct packet *packet, const __u16 *to, const __u16 *from)
{
	packet->addresses[0] =
		(__u64)to[0] | (__u64)to[1] << 16 | (__u64)to[2] << 32 | (__u64)from[0] << 48;
	packet->addresses[1] = (__u64)from[1] | (__u64)from[2] << 16;
}

/* What the daemon keeps for a target, word by word. UNKNOWN also stands for no entry at all. */
struct known_hop {
	enum next_hop_state state;
	__u64 word[2];
};

static __always_inline enum verdict next_hop_by_table(struct packet *packet,
						      const struct known_hop *hop)
{
	__u32 mtu = (__u16)(hop->word[1] >> NEXT_HOP_MTU_SHIFT);

	if (hop->state == NEXT_HOP_FAILED) {
		packet_event(packet, EVENT_NEIGHBOUR_UNKNOWN);
		return VERDICT_NO_ROUTE;
	}
	packet->addresses[0] = hop->word[0];
	packet->addresses[1] = hop->word[1];
	if (mtu < packet->mtu)
		packet->mtu = mtu;
	return VERDICT_GO_ON;
}

/*
 * Asks the kernel's routing and neighbour tables for the way out of forward.interface. What was known
 * last serves where they do not answer, since the interface does not forward; and where they know of
 * no neighbour and nobody had answered before: the kernel would tell the captured sender.
 */
static __always_inline enum verdict next_hop_by_fib(struct packet *packet,
						    const struct known_hop *last)
{
	struct bpf_fib_lookup fib = {
		.ifindex = config.egress_ifindex,
		.tot_len = packet->ip_length,
	};
	long code;

	fib_describe(packet, &fib);
	code = bpf_fib_lookup(packet->ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT);
	if (code == BPF_FIB_LKUP_RET_FRAG_NEEDED) {
		/* kernels before 5.12 do not say how large it may be */
		if (fib.mtu_result >= packet->ip_length)
			return VERDICT_OVERSIZE;
		if (fib.mtu_result < packet->mtu)
			packet->mtu = fib.mtu_result;
		fib.ifindex = config.egress_ifindex;
		fib.tot_len = 0;
		fib_describe(packet, &fib);
		code = bpf_fib_lookup(packet->ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT);
	}
	if ((code == BPF_FIB_LKUP_RET_FWD_DISABLED && last->state != NEXT_HOP_UNKNOWN) ||
	    (code == BPF_FIB_LKUP_RET_NO_NEIGH && last->state == NEXT_HOP_FAILED))
		return next_hop_by_table(packet, last);
	switch (code) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		if (fib.ifindex != config.egress_ifindex)
			return VERDICT_NO_ROUTE;
		set_addresses(packet, (const __u16 *)fib.dmac, (const __u16 *)fib.smac);
		return VERDICT_GO_ON;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		packet_event(packet, EVENT_NEIGHBOUR_UNKNOWN);
		/* the kernel would fragment it */
		if (config.oversize == OVERSIZE_DROP && packet->ip_length > packet->mtu)
			return VERDICT_OVERSIZE;
		return forward_to_kernel(packet);
	default:
		return VERDICT_NO_ROUTE;
	}
}

static __always_inline bool next_hops_are_fresh(void)
{
	__u32 zero = 0;
	struct heartbeat *beat = bpf_map_lookup_elem(&heartbeat, &zero);

	return beat && bpf_jiffies64() < beat->trusted_until;
}

/*
 * By what the daemon keeps for the rule's target, as long as it is there to keep it, and else by what
 * the kernel says. That the target is this host holds on, since a FIB lookup cannot tell it from no
 * route.
 */
static __always_inline enum verdict next_hop_by_route(struct packet *packet)
{
	struct known_hop known = {.state = NEXT_HOP_UNKNOWN};
	__u32 index = packet->next_hop - 1;
	struct next_hop *hop;

	if (packet->next_hop) {
		hop = bpf_map_lookup_elem(&next_hops, &index);
		if (!hop)
			return VERDICT_ERROR;
		/* in this order: publish() in src/daemon/next_hops.c reckons with it */
		known.word[1] = *(volatile __u64 *)&hop->word[1];
		known.word[0] = *(volatile __u64 *)&hop->word[0];
		known.state = known.word[1] >> NEXT_HOP_STATE_SHIFT;
		if (known.state == NEXT_HOP_LOCAL)
			return forward_to_kernel(packet);
		if (known.state != NEXT_HOP_UNKNOWN && next_hops_are_fresh())
			return next_hop_by_table(packet, &known);
	}
	return next_hop_by_fib(packet, &known);
}

/* Sets packet->addresses and lowers packet->mtu to what the path takes. */
static __always_inline enum verdict next_hop_find(struct packet *packet)
{
	__u16 to[3], from[3];

	switch (config.next_hop) {
	case NEXT_HOP_KEEP:
		return VERDICT_GO_ON;
	case NEXT_HOP_MAC:
		constant_mac(config.next_hop_mac, to);
		constant_mac(config.egress_mac, from);
		set_addresses(packet, to, from);
		return VERDICT_GO_ON;
	default:
		return next_hop_by_route(packet);
	}
}

#endif
