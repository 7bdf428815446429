/* SPDX-License-Identifier: GPL-2.0-only */
/* What the stages know of the packet that they handle, and what they can report of it. */
#ifndef PACKET_H
#define PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include "maps.h"

/* What the compiler is to lay out one after the other: what usual packets take. */
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Which part of a fragmented datagram a packet is. */
enum fragment_part {
	FRAGMENT_WHOLE, /* not fragmented */
	FRAGMENT_FIRST,
	FRAGMENT_LATER,
};

struct packet {
	struct xdp_md *ctx;
	struct counters *counters;

	/* the frame as it came, in bytes */
	__u32 length;
	__u32 inner_offset; /* of the inner Ethernet header */
	__u32 inner_length; /* of the inner frame, by the outer UDP length */
	__u32 vni;
	struct hits *vni_hits; /* the VNI's counter; NULL: it is not listed, or not known yet */

	/*
	 * The inner headers. A pointer always points into the frame, but the verifier needs to see
	 * at each use how far it may be read: packet_holds().
	 */
	void *start; /* of the frame */
	void *end;
	struct ethhdr *ethernet;
	void *ip;           /* struct iphdr or ipv6hdr */
	void *transport;    /* struct udphdr or tcphdr */
	__u32 ip_length;    /* bytes of the IP packet that are in the frame */
	__be32 fragment_id; /* of a fragment */
	__u8 version;       /* of `ip`: 4, 6, or 0 when the inner frame holds something else */
	__u8 l4_protocol;   /* IPPROTO_UDP, _TCP, or 0 when `transport` is not a whole header */
	__u8 fragment_part; /* enum fragment_part */
	__u8 ip_protocol;   /* IPPROTO_x behind the extension headers */

	/* how it leaves */
	bool readdressed;   /* a rule gave it its destination */
	bool ruled;         /* and has counted it */
	__u32 next_hop;     /* index in map `next_hops` + 1; 0: no rule gives one */
	__u32 mtu;          /* largest IP packet that the path takes, at most forward.mtu */
	__u32 kernel_mtu;   /* the MTU to which the kernel would fragment it there; 0: not known */
	__u32 fragments;    /* with VERDICT_FRAGMENTED: how many */
	__u32 cut;          /* bytes cut off at both ends, once it is decapsulated */
	__u64 addresses[2]; /* the Ethernet addresses, as in struct next_hop; 0: they stay */
};

#define FRAME_OFFSET_MASK \
	0x3fff /* no frame is longer: the largest MTU that XDP is used with is 9216 */

/*
 * Bytes from `start` to `end`, as a number that the compiler cannot optimize into arithmetic on the
 * lower half of a pointer, which the verifier does not allow.
 */
static __always_inline __u64 bytes_between(const void *start, const void *end)
{
	__u64 length = end - start;

	asm volatile("" : "+r"(length));
	return length;
}

/* Words of a frame. It is the host's business how they are aligned: those that have XDP take any. */
static __always_inline __u8 frame_u8(const void *at)
{
	return *(const volatile __u8 *)at;
}

static __always_inline __u16 frame_u16(const void *at)
{
	return *(const volatile __u16 *)at;
}

static __always_inline __u32 frame_u32(const void *at)
{
	return *(const volatile __u32 *)at;
}

static __always_inline __u64 frame_u64(const void *at)
{
	return *(const volatile __u64 *)at;
}

/* A pointer `offset` bytes into the frame. */
static __always_inline void *packet_at(const struct packet *packet, __u32 offset)
{
	__u64 masked = offset & FRAME_OFFSET_MASK;

	asm volatile("" : "+r"(masked));
	return packet->start + (masked & FRAME_OFFSET_MASK);
}

/*
 * `at`, computed anew from its distance to the frame's start. The detour through a number makes the
 * verifier forget which headers led there: it checks the following code once, and not once for each
 * combination of them.
 */
static __always_inline void *packet_forget_path(const struct packet *packet, void *at)
{
	return packet_at(packet, bytes_between(packet->start, at));
}

/*
 * Did the frame arrive in several buffers? The pointers reach only the first one, which holds all
 * headers. Few devices can send such a frame. The first one's ends are read anew: packet->start would
 * have to be kept until here, and to the verifier it differs by how many bytes behind it were checked,
 * so that frames with and without VLAN tags would stay different frames through all stages.
 */
static __always_inline bool packet_is_scattered(const struct packet *packet)
{
	if (config.buffers != BUFFERS_SEVERAL)
		return false;
	return packet->length >
	       bytes_between((void *)(long)packet->ctx->data, (void *)(long)packet->ctx->data_end);
}

/*
 * A zero that the verifier takes for any number, made of a pointer into the packet. Adding it to a
 * value makes the verifier forget the value.
 */
static __always_inline __u64 unknown_zero(const void *at)
{
	__u64 zero;

	asm volatile("%0 = %1\n\t%0 -= %1" : "=&r"(zero) : "r"(at));
	return zero;
}

/*
 * Makes the verifier forget what it has learned of the inner packet. Otherwise it goes through the
 * lookup of rules once for each combination of these values, and kernels before 6.12 give up: they
 * look at a million instructions at the most, however few the program has.
 */
static __always_inline void packet_forget_numbers(struct packet *packet)
{
	__u64 zero = unknown_zero(packet->start);

	packet->l4_protocol += zero;
	packet->ip_length += zero;
	packet->fragment_id += zero;
	packet->fragment_part += zero;
	packet->ip_protocol += zero;
}

/* Are there `size` bytes at `at`? */
static __always_inline bool packet_holds(const struct packet *packet, void *at, __u32 size)
{
	return at + size <= packet->end;
}

/*
 * Begins what `explain` asks for. Each note is written to memory where it arises: the verifier does not follow what a map
 * holds. Kept in a register until the end, notes would tell apart paths that are otherwise the same, and the verifier would go
 * through the rest of the program once for each.
 */
static __always_inline void trace_begin(void)
{
	trace.events = 0;
	trace.rule = 0;
	trace.vni = VNI_NONE;
	trace.inner_offset = 0;
	trace.scattered = 0;
}

static __always_inline void packet_event(struct packet *packet, enum event event)
{
	packet->counters->event[event]++;
	if (config.trace)
		trace.events |= 1U << event;
}

static __always_inline void hits_add(struct hits *hits, __u64 length)
{
	hits->packets++;
	hits->bytes += length;
}

#endif
