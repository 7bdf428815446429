/* SPDX-License-Identifier: GPL-2.0-only */
/* Last stage: DF, size, next hop, and the way out. */
#ifndef FORWARD_H
#define FORWARD_H

#include "csum.h"
#include "parse.h"

#define AF_INET  2
#define AF_INET6 10

/*
 * A MAC out of the constants. Taken as the words it is made of: a memcpy() would not respect that
 * they are volatile, and be done at compile time with the zeros that stand there then.
 */
static __always_inline void constant_mac(const volatile __u16 *from, __u16 *to)
{
	for (int i = 0; i < 3; i++)
		to[i] = from[i];
}

/* Fills what a FIB lookup needs to know of the inner packet. */
static __always_inline void fib_describe(const struct packet *packet, struct bpf_fib_lookup *fib)
{
	fib->l4_protocol = packet->ip_protocol;
	if (packet->version == 4) {
		const struct iphdr *ip = packet->ip;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return;
		fib->family = AF_INET;
		fib->tos = ip->tos;
		fib->ipv4_src = ip->saddr;
		fib->ipv4_dst = ip->daddr;
	} else {
		const struct ipv6hdr *ip = packet->ip;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return;
		fib->family = AF_INET6;
		fib->flowinfo = *(const __be32 *)ip & bpf_htonl(0x0fffffff);
		__builtin_memcpy(fib->ipv6_src, &ip->saddr, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, &ip->daddr, sizeof(fib->ipv6_dst));
	}
}

/* May routers fragment this packet? IPv6 has no such thing. */
static __always_inline bool is_fragmentable(const struct packet *packet)
{
	const struct iphdr *ip = packet->ip;

	return packet->version == 4 && packet_holds(packet, packet->ip, sizeof(*ip)) &&
	       !(ip->frag_off & bpf_htons(IPV4_DF));
}

/* Would the kernel, forwarding this packet, send its sender an error instead? */
static __always_inline bool kernel_would_answer(const struct packet *packet)
{
	__u32 offset = packet->version == 4 ? __builtin_offsetof(struct iphdr, ttl)
					    : __builtin_offsetof(struct ipv6hdr, hop_limit);
	__u8 *ttl = packet->ip + offset;

	if (!packet->version || !packet_holds(packet, ttl, sizeof(*ttl)))
		return false;
	return *ttl <= 1 || (packet->ip_length > config.mtu && !is_fragmentable(packet));
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
	if (!packet_holds(packet, packet->ethernet, sizeof(*packet->ethernet)))
		return VERDICT_ERROR;
	constant_mac(config.listen_mac, (__u16 *)packet->ethernet->h_dest);
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
	struct iphdr *ip = packet->ip;
	csum_delta delta;
	__be16 cleared;

	if (config.clear_df_above == CLEAR_DF_NEVER || packet->version != 4 ||
	    !packet_holds(packet, packet->ip, sizeof(*ip)))
		return;
	if (bpf_ntohs(ip->tot_len) <= config.clear_df_above || !(ip->frag_off & bpf_htons(IPV4_DF)))
		return;
	cleared = ip->frag_off & ~bpf_htons(IPV4_DF);
	delta = csum_change16(ip->frag_off, cleared);
	ip->frag_off = cleared;
	packet_event(packet, EVENT_DF_CLEARED);
	/* an atomic datagram's ID says nothing until it may be fragmented (RFC 6864) */
	if (!ip->id && packet->fragment_part == FRAGMENT_WHOLE) {
		__be16 id = fresh_ip_id(packet);

		ip->id = id;
		delta += csum_change16(0, id);
		packet_event(packet, EVENT_ID_ASSIGNED);
	}
	ip->check = csum_update(ip->check, delta);
}

static __always_inline enum verdict forward_oversize(struct packet *packet)
{
	if (config.oversize == OVERSIZE_PASS ||
	    (config.oversize == OVERSIZE_FRAGMENT && is_fragmentable(packet)))
		return forward_to_kernel(packet);
	return VERDICT_OVERSIZE;
}

static __always_inline void set_macs(struct packet *packet, const void *to, const void *from)
{
	if (!packet_holds(packet, packet->ethernet, sizeof(*packet->ethernet)))
		return;
	__builtin_memcpy(packet->ethernet->h_dest, to, ETH_ALEN);
	__builtin_memcpy(packet->ethernet->h_source, from, ETH_ALEN);
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
		set_macs(packet, fib.dmac, fib.smac);
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
	__u16 to[3], from[3];

	switch (config.next_hop) {
	case NEXT_HOP_KEEP:
		return VERDICT_GO_ON;
	case NEXT_HOP_MAC:
		constant_mac(config.next_hop_mac, to);
		constant_mac(config.egress_mac, from);
		set_macs(packet, to, from);
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
