/* SPDX-License-Identifier: GPL-2.0-only */
/* Last stage: DF, size, next hop, and the way out. */
#ifndef FORWARD_H
#define FORWARD_H

#include "csum.h"
#include "parse.h"

#define AF_INET  2
#define AF_INET6 10

/* Fills what a FIB lookup needs to know of the inner packet. */
static __always_inline void fib_describe(const struct packet *packet, struct bpf_fib_lookup *fib)
{
	if (packet->ip4) {
		fib->family = AF_INET;
		fib->tos = packet->ip4->tos;
		fib->l4_protocol = packet->ip4->protocol;
		fib->ipv4_src = packet->ip4->saddr;
		fib->ipv4_dst = packet->ip4->daddr;
	} else if (packet->ip6) {
		fib->family = AF_INET6;
		fib->flowinfo = *(const __be32 *)packet->ip6 & bpf_htonl(0x0fffffff);
		fib->l4_protocol = packet->ip_protocol;
		__builtin_memcpy(fib->ipv6_src, &packet->ip6->saddr, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, &packet->ip6->daddr, sizeof(fib->ipv6_dst));
	}
}

/* Would the kernel rather tell the sender than forward it? TTL used up, or too big and unfragmentable. */
static __always_inline bool kernel_would_answer(const struct packet *packet)
{
	bool too_big = packet->ip_length > config.mtu;

	if (packet->ip4)
		return packet->ip4->ttl <= 1 ||
		       (too_big && packet->ip4->frag_off & bpf_htons(IPV4_DF));
	if (packet->ip6)
		return packet->ip6->hop_limit <= 1 || too_big;
	return false;
}

/* Would the kernel, having got this packet on listen.interface, forward it? */
static __always_inline bool kernel_would_forward(const struct packet *packet)
{
	struct bpf_fib_lookup fib = {.ifindex = packet->ctx->ingress_ifindex};
	long code;

	fib_describe(packet, &fib);
	code = bpf_fib_lookup(packet->ctx, &fib, sizeof(fib), 0);
	return code == BPF_FIB_LKUP_RET_SUCCESS || code == BPF_FIB_LKUP_RET_NO_NEIGH ||
	       code == BPF_FIB_LKUP_RET_FRAG_NEEDED;
}

/*
 * The kernel gets the decapsulated packet, unless all it would do is to send an ICMP error to the
 * captured packet's sender: mirrored traffic must never make this host speak to production.
 */
static __always_inline enum verdict forward_to_kernel(struct packet *packet)
{
	if (kernel_would_answer(packet) && kernel_would_forward(packet))
		return packet->ip_length > config.mtu ? VERDICT_OVERSIZE : VERDICT_NO_ROUTE;
	__builtin_memcpy(packet->ethernet->h_dest, (const void *)config.listen_mac, ETH_ALEN);
	return VERDICT_PASSED;
}

/* A fresh IPv4 ID: never 0, and the same one not before all of this CPU's were used. */
static __always_inline __be16 fresh_ip_id(struct packet *packet)
{
	__u64 sequence = packet->counters->next_ip_id;
	__u16 id = sequence * config.cpus + bpf_get_smp_processor_id();

	if (!id)
		id = ++sequence * config.cpus + bpf_get_smp_processor_id();
	packet->counters->next_ip_id = sequence + 1;
	return bpf_htons(id);
}

static __always_inline void clear_df(struct packet *packet)
{
	struct iphdr *ip = packet->ip4;
	csum_delta delta;
	__be16 cleared;

	if (config.clear_df_above == CLEAR_DF_NEVER || !ip ||
	    bpf_ntohs(ip->tot_len) <= config.clear_df_above || !(ip->frag_off & bpf_htons(IPV4_DF)))
		return;
	cleared = ip->frag_off & ~bpf_htons(IPV4_DF);
	delta = csum_change16(ip->frag_off, cleared);
	ip->frag_off = cleared;
	packet_event(packet, EVENT_DF_CLEARED);
	/* an atomic datagram's ID says nothing until it may be fragmented (RFC 6864) */
	if (!ip->id && packet->fragment_part == FRAGMENT_WHOLE) {
		ip->id = fresh_ip_id(packet);
		delta += csum_change16(0, ip->id);
		packet_event(packet, EVENT_ID_ASSIGNED);
	}
	ip->check = csum_update(ip->check, delta);
}

static __always_inline enum verdict forward_oversize(struct packet *packet)
{
	bool fragmentable = packet->ip4 && !(packet->ip4->frag_off & bpf_htons(IPV4_DF));

	if (config.oversize == OVERSIZE_PASS ||
	    (config.oversize == OVERSIZE_FRAGMENT && fragmentable))
		return forward_to_kernel(packet);
	return VERDICT_OVERSIZE;
}

/* Asks the kernel's routing and neighbour tables for the way out of forward.interface. */
static __always_inline enum verdict route(struct packet *packet)
{
	struct bpf_fib_lookup fib = {
		.ifindex = config.egress_ifindex,
		.tot_len = packet->ip_length,
	};

	fib_describe(packet, &fib);
	switch (bpf_fib_lookup(packet->ctx, &fib, sizeof(fib), BPF_FIB_LOOKUP_OUTPUT)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		if (fib.ifindex != config.egress_ifindex)
			return VERDICT_NO_ROUTE;
		__builtin_memcpy(packet->ethernet->h_dest, fib.dmac, ETH_ALEN);
		__builtin_memcpy(packet->ethernet->h_source, fib.smac, ETH_ALEN);
		return VERDICT_GO_ON;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		packet_event(packet, EVENT_NEIGHBOUR_UNKNOWN);
		return forward_to_kernel(packet);
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return forward_oversize(packet);
	default:
		return VERDICT_NO_ROUTE;
	}
}

static __always_inline enum verdict address_frame(struct packet *packet)
{
	switch (config.next_hop) {
	case NEXT_HOP_KEEP:
		return VERDICT_GO_ON;
	case NEXT_HOP_MAC:
		__builtin_memcpy(packet->ethernet->h_dest, (const void *)config.next_hop_mac,
				 ETH_ALEN);
		__builtin_memcpy(packet->ethernet->h_source, (const void *)config.egress_mac,
				 ETH_ALEN);
		return VERDICT_GO_ON;
	default:
		return route(packet);
	}
}

static __always_inline enum verdict forward(struct packet *packet)
{
	enum verdict verdict;

	clear_df(packet);
	if (packet->ip_length > config.mtu)
		return forward_oversize(packet);
	verdict = address_frame(packet);
	if (verdict != VERDICT_GO_ON)
		return verdict;
	return config.single_arm ? VERDICT_TRANSMITTED : VERDICT_REDIRECTED;
}

/*
 * Bytes to cut from the frame's end: what stands behind the outer UDP datagram, and, where the
 * frame would be too long with it, the padding behind the inner packet.
 */
static __always_inline __u32 excess(const struct packet *packet)
{
	__u32 behind = packet->length - packet->inner_offset - packet->inner_length;
	__u32 payload = packet->inner_length - sizeof(struct ethhdr);

	if (payload > config.mtu && packet->ip_length <= config.mtu)
		behind += payload - packet->ip_length;
	return behind;
}

/* Strips the tunnel. The packet's pointers mean nothing afterwards. */
static __always_inline bool decapsulate(struct packet *packet)
{
	__u32 cut = excess(packet);

	if (cut) {
		packet_event(packet, EVENT_TRAILER_CUT);
		if (bpf_xdp_adjust_tail(packet->ctx, -(int)cut))
			return false;
	}
	return bpf_xdp_adjust_head(packet->ctx, packet->inner_offset) == 0;
}

#endif
