/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IPv4 fragmentation without the kernel's stack. XDP has no way to make a second frame, but a
 * broadcast to a devmap copies a frame for each entry: struct fragment_shim says how that becomes
 * fragments. What follows from the way the kernel does it:
 *  - a device's queue of frames to send runs one program for all of them, so every frame to that
 *    device has to name the same one, whether or not it has to be fragmented;
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

/*
 * An Ethernet header in words: struct ethhdr is packed, which makes every access one of bytes. It is
 * the ethertype's business, not that of the addresses, to be aligned.
 */
struct ethernet_words {
	__u32 addresses[3];
	__u16 type;
};

#define ETHERNET_SIZE 14 /* which is not sizeof(struct ethernet_words) */

static __always_inline __u32 fragment_chunk(__u32 mtu)
{
	return (mtu - sizeof(struct iphdr)) & ~(FRAGMENT_UNIT - 1);
}

static __always_inline bool fragmenting_is_open(void)
{
	__u32 zero = 0, *open = bpf_map_lookup_elem(&fragmenting_open, &zero);

	return open && *open;
}

/* How many fragments the packet makes; 0: they cannot be made here. */
static __always_inline __u32 fragment_count(const struct packet *packet)
{
	const struct iphdr *ip = packet->ip;
	__u32 chunk, payload = packet->ip_length - sizeof(*ip);

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
	if (packet->mtu < sizeof(*ip) + FRAGMENT_UNIT || !fragmenting_is_open())
		return 0;
	chunk = fragment_chunk(packet->mtu);
	for (__u32 count = 2; count <= MAX_FRAGMENTS; count++) {
		if (payload <= count * chunk)
			return count;
	}
	return 0;
}

/* Fills the shim of a decapsulated frame that begins with one. */
static __always_inline bool fragment_mark(struct packet *packet)
{
	struct fragment_shim *shim = (void *)(long)packet->ctx->data;

	if ((void *)(shim + 1) > (void *)(long)packet->ctx->data_end)
		return false;
	shim->mark = config.fragment_mark;
	shim->sequence = ++packet->counters->next_fragmented;
	shim->chunk = fragment_chunk(packet->mtu);
	shim->reserved = 0;
	return true;
}

static __always_inline long fragment_send(__u32 count)
{
	long action = XDP_ABORTED;

	switch (count) {
#define X(copies)                                                                \
	case copies:                                                             \
		action = bpf_redirect_map(&copies_##copies, 0, BPF_F_BROADCAST); \
		break;
		FRAGMENT_COUNTS(X)
#undef X
	}
	return action;
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

/* Makes the header of the fragment that begins `offset` bytes into the payload. */
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

/* Where the parts of a frame with a shim begin: Ethernet header, IPv4 header, payload. */
#define SHIMMED_ETHERNET sizeof(struct fragment_shim)
#define SHIMMED_IP       (SHIMMED_ETHERNET + ETHERNET_SIZE)
#define SHIMMED_PAYLOAD  (SHIMMED_IP + sizeof(struct iphdr))

/* Puts the headers in front of a fragment's payload. */
static __always_inline int
fragment_finish(struct xdp_md *ctx, const struct ethernet_words *ethernet, const struct iphdr *ip)
{
	void *data = (void *)(long)ctx->data;
	struct ethernet_words *to = data;

	if (data + ETHERNET_SIZE + sizeof(*ip) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < 3; i++)
		to->addresses[i] = ethernet->addresses[i];
	to->type = ethernet->type;
	*(struct iphdr *)(data + ETHERNET_SIZE) = *ip;
	return XDP_PASS;
}

/* On the way out of the device: trims a copy to its fragment; everything else passes. */
static __always_inline int fragment_trim(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct fragment_shim *shim = data;
	__u32 chunk, offset, length, payload, behind;
	struct ethernet_words ethernet;
	struct iphdr ip;

	if (data + SHIMMED_PAYLOAD > end || shim->mark != config.fragment_mark)
		return XDP_PASS;
	ethernet = *(struct ethernet_words *)(data + SHIMMED_ETHERNET);
	ip = *(struct iphdr *)(data + SHIMMED_IP);
	chunk = shim->chunk;
	offset = fragment_number(shim->sequence) * chunk;
	payload = bpf_ntohs(ip.tot_len) - sizeof(ip);
	if (offset >= payload)
		return XDP_DROP;
	length = payload - offset < chunk ? payload - offset : chunk;
	fragment_header(&ip, offset, length, offset + length == payload);

	behind = bytes_between(data, end) - SHIMMED_PAYLOAD - offset - length;
	if (behind && bpf_xdp_adjust_tail(ctx, -(int)behind))
		return XDP_ABORTED;
	if (bpf_xdp_adjust_head(ctx, (int)(SHIMMED_ETHERNET + offset)))
		return XDP_ABORTED;
	return fragment_finish(ctx, &ethernet, &ip);
}

#endif
