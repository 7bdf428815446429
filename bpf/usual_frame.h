/* SPDX-License-Identifier: GPL-2.0-only */
/* The usual way (usual.h): what makes a frame a usual one. Its headers are where they always are, and words hold several fields. */
#ifndef USUAL_FRAME_H
#define USUAL_FRAME_H

#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "constants.h"
#include "packet.h"

/* Where the usual frame's parts begin. */
#define USUAL_IP_OUTER  14
#define USUAL_UDP_OUTER 34
#define USUAL_VXLAN     42
#define USUAL_ETHERNET  50
#define USUAL_IP        64
#define USUAL_TRANSPORT 84

/* What is known of a usual frame. */
struct usual {
	struct counters *count;
	struct hits *of_vni; /* NULL: none yet; or there is one VNI, which the rules count */
	struct rule_counter
		*of_rule; /* this CPU's, of the rule that matches; NULL: it is the only one: */
	struct hits *of_only;
	__u64 length;
	__u64 vni; /* as in struct nat4_key, word 1 */
};

/* The word that begins with the ethertype, of IPv4, version 4, five words of header; its bytes 4-5 are the total length. */
static __always_inline bool is_plain_ipv4(__u64 word)
{
	return (word & bpf_htonl(0xffffff00)) == bpf_htonl(0x08004500);
}

static __always_inline __u32 length_in(__u64 word)
{
	return bpf_ntohs((__u16)(word >> 32));
}

/* Is it a tunnel frame of ours, without anything between the headers or behind the end? */
static __always_inline bool usual_outer(const void *frame, __u64 length)
{
	const __u64 ip_length = bpf_htons((__u16)(length - USUAL_IP_OUTER));
	const __u32 udp_length = bpf_htons((__u16)(length - USUAL_UDP_OUTER));
	__u64 word = frame_u64(frame + USUAL_IP_OUTER - 2);

	/* as is_plain_ipv4(), with the length */
	if ((word & (0xffffULL << 32 | bpf_htonl(0xffffff00))) !=
	    (ip_length << 32 | bpf_htonl(0x08004500)))
		return false;
	/* flags and offset, TTL, protocol: DF and TTL may be anything */
	if ((frame_u32(frame + USUAL_IP_OUTER + 6) & bpf_htonl(0xbfff00ff)) !=
	    bpf_htonl(IPPROTO_UDP))
		return false;
	/* destination port and length */
	return frame_u32(frame + USUAL_UDP_OUTER + 2) == (udp_length << 16 | CONSTANT(PORT));
}

/* Is the inner packet whole UDP, or else TCP, over plain IPv4? Its length in bytes. */
static __always_inline bool usual_inner(const void *frame, __u64 length, bool udp, __u32 *ip_length)
{
	__u32 least = sizeof(struct iphdr) + (udp ? sizeof(struct udphdr) : sizeof(struct tcphdr));
	__u64 word = frame_u64(frame + USUAL_IP - 2);

	*ip_length = length_in(word);
	/* flags and offset: DF and the reserved bit may be anything */
	return is_plain_ipv4(word) && !(frame_u32(frame + USUAL_IP + 6) & bpf_htonl(0x3fff0000)) &&
	       *ip_length >= least && *ip_length <= length - USUAL_IP;
}

#endif
