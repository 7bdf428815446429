/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IPv4 fragmentation without the kernel's stack. XDP has no way to make a second frame, but a
 * broadcast to a devmap copies a frame for each entry: struct fragment_shim says how that becomes
 * fragments. What follows from the way the kernel does it:
 *  - a device's queue of frames to send runs the first one's program on all of them: enum egress_entry;
 *  - copies come in order, and the last one is the original;
 *  - a frame that the device's MTU does not admit is lost without a word, so that is checked before;
 *  - a copy has one page, for the headroom too.
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include "csum.h"
#include "parse.h"

#define MAX_DATAGRAM  65535
#define FRAGMENT_UNIT 8 /* fragment offsets count in these */

#define ETHERNET_SIZE sizeof(struct ethhdr)

static __always_inline __u32 fragment_chunk(__u32 mtu)
{
	return (mtu - sizeof(struct iphdr)) & ~(FRAGMENT_UNIT - 1);
}

/* How many fragments so many bytes behind an IPv4 header make; 0: too many. */
static __always_inline __u32 fragments_of(__u32 payload, __u32 mtu)
{
	__u32 chunk = fragment_chunk(mtu);

	if (mtu < sizeof(struct iphdr) + FRAGMENT_UNIT)
		return 0;
	for (__u32 count = 2; count <= MAX_FRAGMENTS; count++) {
		if (payload <= count * chunk)
			return count;
	}
	return 0;
}

/* How many fragments the packet makes; 0: they cannot be made here. */
static __always_inline __u32 fragment_count(const struct packet *packet)
{
	const struct iphdr *ip = packet->ip;
	__u32 payload = packet->ip_length - sizeof(*ip);

	if (!config.fragment_in_xdp || packet_is_scattered(packet) || packet->version != 4 ||
	    !packet_holds(packet, packet->ip, sizeof(*ip)))
		return 0;
	/* options must not be copied blindly (RFC 791), and missing bytes cannot be sent */
	if (ipv4_header_length(ip) != sizeof(*ip) || bpf_ntohs(ip->tot_len) != packet->ip_length)
		return 0;
	/* a fragment that ends beyond what a datagram can hold is nothing to build on */
	if ((bpf_ntohs(ip->frag_off) & IPV4_FRAGMENT_OFFSET) * FRAGMENT_UNIT + payload >
	    MAX_DATAGRAM)
		return 0;
	if (packet->ip_length + sizeof(struct fragment_shim) > config.device_mtu + VLAN_HLEN ||
	    FRAGMENT_HEADROOM + packet->inner_offset + sizeof(struct ethhdr) + packet->ip_length >
		    FRAGMENT_COPY_ROOM)
		return 0;
	return fragments_of(payload, packet->mtu);
}

/* Fills the shim of a decapsulated frame that begins with one. */
static __always_inline bool fragment_mark(struct xdp_md *ctx, struct counters *count, __u32 mtu,
					  __u32 pieces)
{
	struct fragment_shim *shim = (void *)(long)ctx->data;

	if ((void *)(shim + 1) > (void *)(long)ctx->data_end)
		return false;
	shim->mark = config.fragment_mark;
	shim->sequence = ++count->next_fragmented;
	shim->chunk = fragment_chunk(mtu);
	shim->pieces = pieces;
	return true;
}

/* By which entry of map `egress` a frame leaves that is not to be fragmented. */
static __always_inline __u64 egress_entry(struct counters *count, __u64 of)
{
	__u64 left = count->trimming - of;

	if (likely(left - 1 >= TRIMMING_FOR_EVER))
		return EGRESS_WHOLE;
	if (left != TRIMMING_FOR_EVER)
		count->trimming--;
	return EGRESS_TRIMMING;
}

/* A copy for each fragment. Only where everything that the CPU sends leaves with the program that trims. */
static __always_inline long fragment_copies(struct counters *count, __u64 of, __u32 pieces)
{
	long action = XDP_ABORTED;

	count->trimming = of + TRIMMING_FOR_EVER;
	switch (pieces) {
#define X(copies)                                                                \
	case copies:                                                             \
		action = bpf_redirect_map(&copies_##copies, 0, BPF_F_BROADCAST); \
		break;
		FRAGMENT_COUNTS(X)
#undef X
	}
	return action;
}

/* Sends a frame that begins with a shim: the action. */
static __always_inline long fragment_send(struct counters *count, __u64 of, __u32 pieces,
					  bool explained)
{
	long action;

	if (explained || count->trimming - of - 1 < TRIMMING_FOR_EVER)
		return fragment_copies(count, of, pieces);
	action = bpf_redirect_map(&cutters, bpf_get_smp_processor_id(), XDP_ABORTED);
	/* a CPU that has no thread, since it came online a moment ago */
	if (action == XDP_ABORTED)
		action = bpf_redirect_map(&cutters, 0, XDP_ABORTED);
	return action;
}

/* The same on the thread, where nothing is kept yet: see enum egress_entry. */
static __always_inline long fragment_send_first(struct xdp_md *ctx)
{
	struct fragment_shim *shim = (void *)(long)ctx->data;
	__u32 zero = 0;
	struct counters *count = bpf_map_lookup_elem(&counters, &zero);

	if (!count || (void *)(shim + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	/* the thread of a CPU that went offline runs on another one */
	shim->sequence = ++count->next_fragmented;
	return fragment_copies(count, TRIMMING_OF(config.fragment_mark), shim->pieces);
}

/* Which copy of its packet this one is, from 0. */
static __always_inline __u32 fragment_number(__u32 sequence)
{
	__u32 zero = 0;
	struct fragment_progress *progress = bpf_map_lookup_elem(&fragment_progress, &zero);

	if (!progress)
		return MAX_FRAGMENTS;
	if (progress->sequence != sequence) {
		progress->sequence = sequence;
		progress->next = 0;
	}
	return progress->next++;
}

/* Makes of a packet's header that of the fragment that begins `offset` bytes into its payload. */
static __always_inline void fragment_header(struct iphdr *ip, __u32 offset, __u32 length, bool last)
{
	__be16 old_length = ip->tot_len, old_offset = ip->frag_off;
	__u16 flags = bpf_ntohs(ip->frag_off) + offset / FRAGMENT_UNIT;

	/* the last one of a packet that was a fragment itself is as that one was */
	if (!last)
		flags |= IPV4_MF;
	ip->tot_len = bpf_htons(sizeof(*ip) + length);
	ip->frag_off = bpf_htons(flags);
	ip->check = csum_update(ip->check, csum_change16(old_length, ip->tot_len) +
						   csum_change16(old_offset, ip->frag_off));
}

#define FRAGMENT_HEADERS (ETHERNET_SIZE + sizeof(struct iphdr))

/* Copies Ethernet and IPv4 header, which may overlap: all is read before anything is written. */
static __always_inline void fragment_copy_headers(void *to, const void *from)
{
	__u64 word[4] = {frame_u64(from), frame_u64(from + 8), frame_u64(from + 16),
			 frame_u64(from + 24)};
	__u16 rest = frame_u16(from + 32);

	_Static_assert(FRAGMENT_HEADERS == 34, "four words and a half");
	for (int i = 0; i < 4; i++)
		*(volatile __u64 *)(to + 8 * i) = word[i];
	*(volatile __u16 *)(to + 32) = rest;
}

#define FRAGMENT_OFFSET_MASK 4095
_Static_assert(FRAGMENT_COPY_ROOM <= FRAGMENT_OFFSET_MASK, "offsets into a copy");

/* On the way out of the device: trims a copy to its fragment; everything else passes. */
static __always_inline int fragment_trim(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct fragment_shim *shim = data;
	void *from = data + sizeof(*shim), *to;
	__u32 chunk, offset, length, payload, behind;
	struct iphdr *ip;
	__u64 at;

	if (from + FRAGMENT_HEADERS > end || shim->mark != config.fragment_mark)
		return XDP_PASS;
	ip = from + ETHERNET_SIZE;
	chunk = shim->chunk;
	offset = fragment_number(shim->sequence) * chunk;
	payload = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	/* no payload is longer than the room; the verifier wants to see it */
	if (offset >= payload || offset > FRAGMENT_COPY_ROOM)
		return XDP_DROP;
	/* Linux 6.1 does not see that the upper half of the register is zero, and the compiler does */
	at = offset;
	asm volatile("%0 &= %1" : "+r"(at) : "i"(FRAGMENT_OFFSET_MASK));
	length = payload - offset < chunk ? payload - offset : chunk;
	fragment_header(ip, offset, length, offset + length == payload);

	/* in front of the fragment's payload */
	to = from + at;
	if (to + FRAGMENT_HEADERS > end)
		return XDP_ABORTED;
	fragment_copy_headers(to, from);
	behind = bytes_between(to + FRAGMENT_HEADERS, end) - length;
	if (behind && bpf_xdp_adjust_tail(ctx, -(int)behind))
		return XDP_ABORTED;
	if (bpf_xdp_adjust_head(ctx, (int)(sizeof(*shim) + offset)))
		return XDP_ABORTED;
	return XDP_PASS;
}

#endif
