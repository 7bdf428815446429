/* SPDX-License-Identifier: GPL-2.0-only */
/* Handing packets to the kernel's stack, and asking its tables. */
#ifndef KERNEL_H
#define KERNEL_H

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
	return *ttl <= 1 || (packet->ip_length > packet->mtu && !is_fragmentable(packet));
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
 * captured packet's sender: mirrored traffic must not make this host speak to production. What can
 * be seen here is an expired TTL and a size; of a neighbour that does not answer the daemon keeps
 * packets away (NEXT_HOP_FAILED). Whoever passes by configuration (`pass`) has the kernel answer as
 * any host would: docs/configuration.md says how to keep it silent.
 */
static __always_inline enum verdict forward_to_kernel(struct packet *packet)
{
	if (kernel_would_answer(packet) && kernel_would_forward(packet))
		return packet->ip_length > packet->mtu ? VERDICT_OVERSIZE : VERDICT_NO_ROUTE;
	if (!packet_holds(packet, packet->ethernet, sizeof(*packet->ethernet)))
		return VERDICT_ERROR;
	constant_mac(config.listen_mac, (__u16 *)packet->ethernet->h_dest);
	return VERDICT_PASSED;
}

#endif
