/* SPDX-License-Identifier: GPL-2.0-only */
/* What the stages know of the packet in hand, and what they may say of it. */
#ifndef PACKET_H
#define PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "maps.h"

/* Which part of a fragmented inner datagram this is. */
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

	/* the inner packet; one of ip4 and ip6 is set, or neither when it is not IP */
	struct ethhdr *ethernet;
	struct iphdr *ip4;
	struct ipv6hdr *ip6;
	void *transport;    /* UDP or TCP header, wholly present; else NULL */
	__u32 ip_length;    /* bytes of the IP packet that are present */
	__be32 fragment_id; /* of a fragment */
	__u8 fragment_part; /* enum fragment_part */
	__u8 ip_protocol;   /* what `transport` is; of a later IPv4 fragment: what it would be */

	/* for `explain` */
	__u32 rule;
	__u32 events;
};

static __always_inline void packet_event(struct packet *packet, enum event event)
{
	packet->counters->event[event]++;
	if (config.trace)
		packet->events |= 1U << event;
}

static __always_inline void hits_add(struct hits *hits, const struct packet *packet)
{
	hits->packets++;
	hits->bytes += packet->length;
}

#endif
