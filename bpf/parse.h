/* SPDX-License-Identifier: GPL-2.0-only */
/* One cursor checks the bounds of every header. */
#ifndef PARSE_H
#define PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>

#include "packet.h"

#define IPV4_RESERVED        0x8000
#define IPV4_DF              0x4000
#define IPV4_MF              0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_FRAGMENT_MORE   0x0001

/* Extension headers that are followed before the search for UDP or TCP is given up. */
#define IPV6_MAX_EXTENSIONS 6

struct vlan_header {
	__be16 tci;
	__be16 ethertype;
};

struct vxlan_header {
	__u8 flags;
	__u8 reserved[3];
	__be32 vni; /* in the upper 24 bits */
};

#define VXLAN_FLAG_VNI 0x08 /* RFC 7348: the I flag */

/* Any of the IPv6 extension headers that carry their length (RFC 8200, section 4). */
struct ipv6_extension {
	__u8 next_header;
	__u8 length; /* in units of 8 bytes, the first not counted */
	__u8 type;   /* routing header */
	__u8 segments_left;
};

struct ipv6_fragment {
	__u8 next_header;
	__u8 reserved;
	__be16 offset; /* in its upper 13 bits; bit 0: more fragments */
	__be32 id;
};

struct cursor {
	void *at;
	void *end;
};

static __always_inline struct cursor cursor_start(struct xdp_md *ctx)
{
	struct cursor cursor = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};

	return cursor;
}

/* The `size` bytes at the cursor, which then stands behind them; NULL if they are not all there. */
static __always_inline void *cursor_take(struct cursor *cursor, __u32 size)
{
	void *start = cursor->at;

	if (start + size > cursor->end)
		return NULL;
	cursor->at = start + size;
	return start;
}

/* An IPv4 header's own length in bytes, 0 to 60. */
static __always_inline __u32 ipv4_header_length(const struct iphdr *ip)
{
	return (*(const __u8 *)ip & 0x0f) * 4;
}

static __always_inline __u32 ip_version(const void *ip)
{
	return *(const __u8 *)ip >> 4;
}

/* What follows the fixed header of an IPv6 packet. */
struct ipv6_upper {
	__u32 offset; /* of what follows the extension headers, from the fixed header's start */
	__be32 fragment_id;
	__u8 protocol;
	__u8 fragment_part; /* enum fragment_part */
	bool reachable;     /* there is an upper header in this packet, and the address is final */
};

/*
 * Follows the extension headers behind the cursor as far as `available` bytes (from the fixed
 * header's start) reach. The cursor ends up behind them.
 */
static __always_inline void ipv6_find_upper(struct cursor *cursor, __u8 next_header,
					    __u32 available, struct ipv6_upper *upper)
{
	void *start = cursor->at - sizeof(struct ipv6hdr);
	__u64 zero = unknown_zero(start); /* so that any chain of headers looks like any other */

	upper->offset = sizeof(struct ipv6hdr);
	upper->protocol = next_header;
	upper->fragment_part = FRAGMENT_WHOLE;
	upper->fragment_id = 0;
	upper->reachable = false;

	for (int i = 0; i < IPV6_MAX_EXTENSIONS; i++) {
		struct ipv6_extension *extension;
		__u32 length = sizeof(struct ipv6_fragment);

		if (upper->protocol != IPPROTO_HOPOPTS && upper->protocol != IPPROTO_DSTOPTS &&
		    upper->protocol != IPPROTO_ROUTING && upper->protocol != IPPROTO_FRAGMENT) {
			upper->reachable = upper->fragment_part != FRAGMENT_LATER;
			return;
		}
		extension = cursor->at;
		if ((void *)(extension + 2) > cursor->end || upper->offset + length > available)
			return;
		if (upper->protocol == IPPROTO_FRAGMENT) {
			struct ipv6_fragment *fragment = cursor->at;
			__u16 offset = bpf_ntohs(fragment->offset);

			upper->fragment_id = fragment->id;
			if (offset & IPV6_FRAGMENT_OFFSET) {
				upper->fragment_part = FRAGMENT_LATER;
				upper->protocol = fragment->next_header;
				return;
			}
			/* a lone first fragment is an atomic one: whole (RFC 6946) */
			if (offset & IPV6_FRAGMENT_MORE)
				upper->fragment_part = FRAGMENT_FIRST;
			upper->fragment_part += zero;
		} else {
			if (upper->protocol == IPPROTO_ROUTING && extension->segments_left)
				return; /* the address in the header is not the final one */
			length += extension->length * 8;
		}
		upper->protocol = extension->next_header;
		upper->offset = (upper->offset + length + zero) & FRAME_OFFSET_MASK;
		cursor->at = start + upper->offset;
	}
}

#endif
