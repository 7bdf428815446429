/* SPDX-License-Identifier: GPL-2.0-only */
/* The job of the bench's own peers: the least that a program for exactly one rule must do. */
#ifndef REWRITE_H
#define REWRITE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench.h"

struct vxlan {
	__be32 flags;
	__be32 vni;
};

#define IPV4_WITHOUT_OPTIONS 0x45 /* version and length of the header */

/* Is this a frame of the tunnel with a packet that the rule matches? */
static __always_inline bool is_wanted(void *frame, void *end)
{
	__be16 *ethertype = frame + BENCH_ETHERTYPE;
	struct iphdr *ip = frame + BENCH_ETHERNET;
	struct udphdr *udp = (void *)(ip + 1);
	struct vxlan *vxlan = (void *)(udp + 1);
	__be16 *inner_ethertype = frame + BENCH_INNER + BENCH_ETHERTYPE;
	struct iphdr *inner = frame + BENCH_IP;
	struct udphdr *inner_udp = (void *)(inner + 1);

	if ((void *)(inner_udp + 1) > end)
		return false;
	if (*ethertype != bpf_htons(ETH_P_IP) || *(__u8 *)ip != IPV4_WITHOUT_OPTIONS ||
	    ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(BENCH_PORT))
		return false;
	if (vxlan->vni != bpf_htonl(1 << 8) || *inner_ethertype != bpf_htons(ETH_P_IP))
		return false;
	return *(__u8 *)inner == IPV4_WITHOUT_OPTIONS && inner->protocol == IPPROTO_UDP &&
	       inner_udp->source == bpf_htons(BENCH_RULE_PORT);
}

static __always_inline __u16 checksum_update(__u16 check, __u32 delta)
{
	delta += (__u16)~check;
	delta = (delta & 0xffff) + (delta >> 16);
	delta = (delta & 0xffff) + (delta >> 16);
	return ~delta;
}

static __always_inline __u32 change16(__be16 from, __be16 to)
{
	return (__u16)~from + to;
}

static __always_inline __u32 change32(__be32 from, __be32 to)
{
	return change16(from, to) + change16(from >> 16, to >> 16);
}

/* `ip`: the inner header of a frame for which is_wanted() returned true. */
static __always_inline void rewrite(struct iphdr *ip)
{
	struct udphdr *udp = (void *)(ip + 1);
	__be32 address = bpf_htonl(BENCH_TARGET);
	__be16 port = bpf_htons(BENCH_TARGET_PORT);
	__u32 delta = change32(ip->daddr, address);

	ip->check = checksum_update(ip->check, delta);
	ip->daddr = address;
	if (udp->check) { /* 0: the sender made none; so a sum of 0 is written as all ones */
		delta += change16(udp->dest, port);
		udp->check = checksum_update(udp->check, delta) ?: 0xffff;
	}
	udp->dest = port;
}

#endif
