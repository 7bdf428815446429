/* SPDX-License-Identifier: GPL-2.0-only */
/* Which Ethernet addresses take a packet to its destination, and how large it may be on the way. */
#ifndef NEXTHOP_H
#define NEXTHOP_H

#include "kernel.h"

/*
 * What the daemon keeps for a target, word by word. UNKNOWN also stands for no entry at all; the words
 * say nothing then, and need not be set.
 */
struct known_hop {
	enum next_hop_state state;
	__u64 word[2];
};

/*
 * Reads an entry while the daemon may be writing it. next_hop_publish() in src/daemon/next_hops.c writes
 * word 0 before the word 1 that makes it valid, so word 1 has to be read first. x86 keeps loads in
 * order. arm64 keeps two loads in order if the address of the second depends on the value of the first
 * (an address dependency: "addr; [R]" in the kernel's tools/memory-model/linux-kernel.cat,
 * dependency-ordered-before in the Arm ARM, B2.3), and JITs translate BPF instruction by instruction.
 * So the upper bits of word 1 are added to the address of word 0. They are zero, which neither compiler
 * nor verifier knows: to the verifier they are 0 to 7, and so many bytes on is still within the entry.
 */
static __always_inline void next_hop_read(const volatile struct next_hop *hop,
					  struct known_hop *known)
{
	const void *word0 = (const void *)&hop->word[0];
	__u64 zero;

	known->word[1] = *(const volatile __u64 *)&hop->word[1];
	zero = known->word[1] >> NEXT_HOP_ZERO_SHIFT;
	asm volatile("%0 += %1" : "+r"(word0) : "r"(zero));
	known->word[0] = *(const volatile __u64 *)word0;
	known->state = known->word[1] >> NEXT_HOP_STATE_SHIFT;
}

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
	packet->kernel_mtu = mtu;
	if (mtu < packet->mtu)
		packet->mtu = mtu;
	return VERDICT_GO_ON;
}

/* Asks the kernel for the way out of forward.interface, and again where the packet is too long for it: its code. */
static __always_inline __u32 next_hop_ask(struct packet *packet)
{
	__u32 what = FIB_WAY_OUT | (packet->readdressed ? FIB_FORGET_SENDER : FIB_ASK), limit;
	__u64 answer = fib_ask_for(packet, what, packet->ip_length);

	if ((__u32)answer != BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return answer;
	/* kernels before 5.12 leave the length there, and do not say how large it may be: less than this */
	limit = packet->ip_length - 1;
	if (answer >> 32 < packet->ip_length)
		packet->kernel_mtu = limit = answer >> 32;
	if (limit < packet->mtu)
		packet->mtu = limit;
	return fib_ask_for(packet, what, 0);
}

/*
 * By the kernel's routing and neighbour tables. Where these know no way, the next hop that was known
 * last serves, if there is one: the interface may not forward, and a neighbour that the kernel has
 * forgotten is not dead.
 */
static __always_inline enum verdict next_hop_by_fib(struct packet *packet,
						    const struct known_hop *last)
{
	__u32 code = next_hop_ask(packet), zero = 0;
	const struct next_hop *way = bpf_map_lookup_elem(&way_out, &zero);

	if (code == BPF_FIB_LKUP_RET_SUCCESS && way) {
		packet->addresses[0] = way->word[0];
		packet->addresses[1] = way->word[1];
		return VERDICT_GO_ON;
	}
	if (last->state != NEXT_HOP_UNKNOWN)
		return next_hop_by_table(packet, last);
	if (code == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return VERDICT_OVERSIZE;
	if (code == BPF_FIB_LKUP_RET_NO_NEIGH)
		packet_event(packet, EVENT_NEIGHBOUR_UNKNOWN);
	return VERDICT_NO_ROUTE;
}

static __always_inline bool next_hops_are_fresh(void)
{
	return bpf_jiffies64() < heartbeat.trusted_until;
}

/*
 * Takes the next hop from the daemon's table while a daemon keeps the table up to date, and else asks
 * the kernel. If the table says that the target is this host, that holds without a daemon, too: a FIB
 * lookup does not tell this host from a target without a route.
 */
static __always_inline enum verdict next_hop_by_route(struct packet *packet)
{
	__u32 index = packet->next_hop - 1;
	struct known_hop known;
	struct next_hop *hop;

	known.state = NEXT_HOP_UNKNOWN;
	if (packet->next_hop) {
		hop = bpf_map_lookup_elem(&next_hops, &index);
		if (!hop)
			return VERDICT_ERROR;
		next_hop_read(hop, &known);
		if (known.state == NEXT_HOP_LOCAL)
			return VERDICT_PASSED;
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
		pack_addresses(packet->addresses, to, from);
		return VERDICT_GO_ON;
	default:
		return next_hop_by_route(packet);
	}
}

#endif
