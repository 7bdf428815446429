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

#define IPV4_DF              0x4000
#define IPV4_MF              0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_FRAGMENT_MORE   0x0001

/* The most extension headers that the search for UDP or TCP follows. */
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

/* Any of the IPv6 extension headers that carry their length (RFC 8200, section 4). */
struct ipv6_extension {
	__u8 next_header;
	__u8 length; /* in units of 8 bytes, without the first 8 */
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

/*
 * Returns the `size` bytes at the cursor and moves it behind them; NULL if they are not all there.
 */
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

/* The upper header of an IPv6 packet, behind the extension headers. */
struct ipv6_upper {
	__u32 offset; /* from the start of the fixed header */
	__be32 fragment_id;
	__u8 protocol;
	__u8 fragment_part; /* enum fragment_part */
	bool reachable;     /* this packet has the upper header, and the address is final */
};

/* struct ipv6_upper as one number, as a BPF function that is not inlined can only return that. */
#define UPPER_OFFSET_SHIFT    32
#define UPPER_PROTOCOL_SHIFT  48
#define UPPER_PART_SHIFT      56
#define UPPER_REACHABLE_SHIFT 63

static __always_inline __u64 ipv6_upper_pack(__u32 offset, __be32 fragment_id, __u8 protocol,
					     __u64 part, __u64 reachable)
{
	return fragment_id | (__u64)offset << UPPER_OFFSET_SHIFT |
	       (__u64)protocol << UPPER_PROTOCOL_SHIFT | part << UPPER_PART_SHIFT |
	       reachable << UPPER_REACHABLE_SHIFT;
}

static __always_inline bool is_ipv6_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT;
}

/*
 * Follows the extension headers of the IPv6 packet that begins `start` bytes into the frame and has
 * `available` bytes. Neither inlined nor static, so that the verifier checks it once, and not once
 * for each path that leads here.
 */
__attribute__((noinline)) __u64 ipv6_follow_extensions(struct xdp_md *ctx, __u32 start,
						       __u32 available, __u32 protocol)
{
	__u32 offset = sizeof(struct ipv6hdr), part = FRAGMENT_WHOLE;
	__be32 fragment_id = 0;

	for (int i = 0; i < IPV6_MAX_EXTENSIONS; i++) {
		void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
		struct ipv6_extension *extension = data + ((start + offset) & FRAME_OFFSET_MASK);
		struct ipv6_fragment *fragment = (void *)extension;
		__u32 length = sizeof(*fragment);

		if (!is_ipv6_extension(protocol))
			return ipv6_upper_pack(offset, fragment_id, protocol, part, true);
		if ((void *)(fragment + 1) > end || offset + length > available)
			return ipv6_upper_pack(offset, fragment_id, protocol, part, false);
		if (protocol == IPPROTO_FRAGMENT) {
			__u16 position = bpf_ntohs(fragment->offset);

			if (position & IPV6_FRAGMENT_OFFSET)
				return ipv6_upper_pack(offset, fragment->id, fragment->next_header,
						       FRAGMENT_LATER, false);
			/*
			 * a first fragment without more is atomic, and whole (RFC 6946): ignore its
			 * ID
			 */
			if (position & IPV6_FRAGMENT_MORE) {
				part = FRAGMENT_FIRST;
				fragment_id = fragment->id;
			}
		} else {
			/* with segments left the address in the header is not the final one */
			if (protocol == IPPROTO_ROUTING && extension->segments_left)
				return ipv6_upper_pack(offset, fragment_id, protocol, part, false);
			length += extension->length * 8;
		}
		protocol = extension->next_header;
		offset += length;
	}
	return ipv6_upper_pack(offset, fragment_id, protocol, part, !is_ipv6_extension(protocol));
}

static __always_inline void ipv6_find_upper(struct xdp_md *ctx, __u32 start, __u32 available,
					    __u8 next_header, struct ipv6_upper *upper)
{
	__u64 packed;

	*upper = (struct ipv6_upper){.offset = sizeof(struct ipv6hdr),
				     .protocol = next_header,
				     .reachable = true};
	if (!is_ipv6_extension(next_header))
		return;
	packed = ipv6_follow_extensions(ctx, start, available, next_header);
	upper->offset = (__u16)(packed >> UPPER_OFFSET_SHIFT);
	upper->fragment_id = (__u32)packed;
	upper->protocol = packed >> UPPER_PROTOCOL_SHIFT;
	upper->fragment_part = packed >> UPPER_PART_SHIFT & 0x7f;
	upper->reachable = packed >> UPPER_REACHABLE_SHIFT;
}

#endif
