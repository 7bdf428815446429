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

/* What a FIB lookup is asked, besides the protocol in its lowest byte. */
#define FIB_IPV6          (1U << 8)
#define FIB_FORGET_SENDER (1U << 9)
#define FIB_WAY_OUT \
	(1U << 10)         /* out of forward.interface; else: having come in by listen.interface */
#define FIB_ASK (1U << 11) /* has the daemon ask for a neighbour that is not known */

/* A way that does not leave by forward.interface. No code of the kernel's is negative but those of bad input. */
#define FIB_ELSEWHERE (-1)

/* Fills what a FIB lookup needs to know of the inner packet as it is, whose IP header is at `at`; false: it is not there. */
static __always_inline bool fib_describe(const void *at, const void *end, __u32 what,
					 struct bpf_fib_lookup *fib)
{
	const struct ipv6hdr *ipv6 = at;
	const struct iphdr *ip = at;

	fib->l4_protocol = (__u8)what;
	if (!(what & FIB_IPV6)) {
		if ((const void *)(ip + 1) > end)
			return false;
		fib->family = AF_INET;
		fib->tos = ip->tos;
		fib->ipv4_src = ip->saddr;
		fib->ipv4_dst = ip->daddr;
	} else {
		if ((const void *)(ipv6 + 1) > end)
			return false;
		fib->family = AF_INET6;
		fib->flowinfo = *(const __be32 *)ipv6 & bpf_htonl(0x0fffffff);
		__builtin_memcpy(fib->ipv6_src, &ipv6->saddr, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, &ipv6->daddr, sizeof(fib->ipv6_dst));
	}
	return true;
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

/*
 * Has the daemon ask for the neighbour that a FIB lookup did not find. At most once a jiffy and CPU:
 * one packet in a stream stands for the others, and a flood of destinations costs next to nothing.
 */
static __always_inline void neighbour_ask(struct counters *count, const struct bpf_fib_lookup *fib)
{
	struct wanted_neighbour *record;
	__u64 now = bpf_jiffies64();

	if (count->asked_at == now)
		return;
	count->asked_at = now;
	record = bpf_ringbuf_reserve(&wanted, sizeof(*record), 0);
	if (!record)
		return;
	record->version = fib->family == AF_INET ? 4 : 6;
	__builtin_memcpy(record->address, fib->ipv6_dst, sizeof(record->address));
	bpf_ringbuf_submit(record, 0);
}

/* Bytes 0-5 are `to`, 6-11 `from`, as in a frame. */
static __always_inline void pack_addresses(__u64 *words, const __u16 *to, const __u16 *from)
{
	words[0] = (__u64)to[0] | (__u64)to[1] << 16 | (__u64)to[2] << 32 | (__u64)from[0] << 48;
	words[1] = (__u64)from[1] | (__u64)from[2] << 16;
}

/* Writes them in front of a frame whose Ethernet header is at `ethernet`. */
static __always_inline void write_addresses(void *ethernet, const __u64 *words)
{
	__u32 *to = ethernet;

	to[0] = words[0];
	to[1] = words[0] >> 32;
	to[2] = words[1];
}

/*
 * Asks the kernel's tables for the way of the packet whose IP header is `offset` bytes into the frame: only for a way
 * that takes an IP packet of `size` bytes whole; 0: for any. In the lower half of the answer is the kernel's code, or
 * FIB_ELSEWHERE, in the upper half, with BPF_FIB_LKUP_RET_FRAG_NEEDED, the MTU. The Ethernet addresses of a way out
 * are left in map `way_out`. A function of its own, and not static: see ipv6_follow_extensions().
 */
__attribute__((noinline)) __u64 fib_ask(struct xdp_md *ctx, __u32 offset, __u32 what, __u32 size)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct bpf_fib_lookup fib = {.tot_len = size};
	bool out = what & FIB_WAY_OUT;
	struct counters *count;
	struct next_hop *way;
	__u32 zero = 0;
	long code;

	fib.ifindex = out ? config.egress_ifindex : ctx->ingress_ifindex;
	count = bpf_map_lookup_elem(&counters, &zero);
	way = bpf_map_lookup_elem(&way_out, &zero);
	if (!count || !way || !fib_describe(data + (offset & FRAME_OFFSET_MASK), end, what, &fib))
		return (__u32)FIB_ELSEWHERE;
	if (what & FIB_FORGET_SENDER)
		fib_forget_sender(&fib);
	code = bpf_fib_lookup(ctx, &fib, sizeof(fib), out ? BPF_FIB_LOOKUP_OUTPUT : 0);
	if (code == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return (__u32)code | (__u64)fib.mtu_result << 32;
	if (code == BPF_FIB_LKUP_RET_NO_NEIGH && what & FIB_ASK)
		neighbour_ask(count, &fib);
	if (code == BPF_FIB_LKUP_RET_SUCCESS && out) {
		if (fib.ifindex != config.egress_ifindex)
			return (__u32)FIB_ELSEWHERE;
		pack_addresses(way->word, (const __u16 *)fib.dmac, (const __u16 *)fib.smac);
	}
	return (__u32)code;
}

static __always_inline __u64 fib_ask_for(const struct packet *packet, __u32 what, __u32 size)
{
	if (packet->version != 4)
		what |= FIB_IPV6;
	return fib_ask(packet->ctx, bytes_between(packet->start, packet->ip),
		       what | packet->ip_protocol, size);
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
	__u32 code = fib_ask_for(packet, 0, size);

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
