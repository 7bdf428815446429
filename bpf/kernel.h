/* SPDX-License-Identifier: GPL-2.0-only */
/* Handing packets to the kernel's stack, and asking its tables. */
#ifndef KERNEL_H
#define KERNEL_H

#include "parse.h"

#define AF_INET  2
#define AF_INET6 10

/*
 * Copies a MAC out of the constants, word by word. memcpy() ignores that they are volatile: the
 * compiler would copy the zeros that they hold until the program is loaded.
 */
static __always_inline void constant_mac(const volatile __u16 *from, __u16 *to)
{
	for (int i = 0; i < 3; i++)
		to[i] = from[i];
}

/* Fills what a FIB lookup needs to know of the inner packet as it is. */
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

/*
 * The way to a rule's target is asked for as the daemon asks for it, by the destination alone: it does
 * not depend on what the captured sender wrote, and no source keeps the kernel from answering.
 */
static __always_inline void fib_forget_sender(struct bpf_fib_lookup *fib)
{
	fib->l4_protocol = 0;
	if (fib->family == AF_INET) {
		fib->tos = 0;
		fib->ipv4_src = 0;
	} else {
		fib->flowinfo = 0;
		__builtin_memset(fib->ipv6_src, 0, sizeof(fib->ipv6_src));
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

/*
 * Would the kernel, having got this packet on listen.interface, forward it? Asked with a size, only on
 * a way that takes an IP packet of `size` bytes whole; 0: on any.
 */
static __always_inline bool kernel_would_forward(const struct packet *packet, __u32 size)
{
	struct bpf_fib_lookup fib = {.ifindex = packet->ctx->ingress_ifindex, .tot_len = size};
	long code;

	fib_describe(packet, &fib);
	code = bpf_fib_lookup(packet->ctx, &fib, sizeof(fib), 0);
	return code == BPF_FIB_LKUP_RET_SUCCESS || code == BPF_FIB_LKUP_RET_NO_NEIGH ||
	       (code == BPF_FIB_LKUP_RET_FRAG_NEEDED && !size);
}

/*
 * Would the kernel send more than forward.mtu allows? It fragments to the MTU of its route, which for a
 * rule's target is known; else its tables are asked whether one byte more than allowed would pass.
 */
static __always_inline bool kernel_would_exceed(const struct packet *packet)
{
	if (packet->ip_length <= config.mtu || !packet->version)
		return false;
	if (packet->kernel_mtu)
		return packet->kernel_mtu > config.mtu && !config.mtu_is_devices;
	return kernel_would_forward(packet, config.mtu + 1);
}

/* Is the kernel kept from answering what it gets from listen.interface where that is now? */
static __always_inline bool kernel_is_silenced(void)
{
	__u32 zero = 0;

	return config.may_pass && bpf_map_lookup_elem(&ingress, &zero);
}

/*
 * A stage answers VERDICT_PASSED because the configuration says so, because the packet is meant for this
 * host, or because only the kernel can fragment it. Here it is prepared for that; but the kernel does
 * not get what it could only drop, nor what it would send too large. Whatever else the kernel has to say of it, nobody hears: the source MAC
 * marks the packet for nftables (src/net/silence.h), and without that nothing is passed.
 */
static __always_inline enum verdict pass_to_kernel(struct packet *packet)
{
	bool oversize = packet->ip_length > packet->mtu;

	if (!kernel_is_silenced() || kernel_would_exceed(packet) ||
	    (kernel_would_answer(packet) && kernel_would_forward(packet, 0)))
		return oversize ? VERDICT_OVERSIZE : VERDICT_NO_ROUTE;
	if (!packet_holds(packet, packet->ethernet, sizeof(*packet->ethernet)))
		return VERDICT_ERROR;
	constant_mac(config.listen_mac, (__u16 *)packet->ethernet->h_dest);
	constant_mac(config.pass_mac, (__u16 *)packet->ethernet->h_source);
	return VERDICT_PASSED;
}

#endif
