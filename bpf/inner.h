/* SPDX-License-Identifier: GPL-2.0-only */
/* Second stage: the headers of the inner frame. */
#ifndef INNER_H
#define INNER_H

#include "kernel.h"
#include "parse.h"

static __always_inline enum verdict inner_malformed(struct packet *packet)
{
	packet_event(packet, EVENT_INNER_MALFORMED);
	return VERDICT_MALFORMED;
}

/* The IP header says `claimed` bytes, and `present` of them came. */
static __always_inline enum verdict inner_truncated(struct packet *packet, __u32 present)
{
	packet_event(packet, EVENT_INNER_TRUNCATED);
	packet->ip_length = present;
	switch (config.truncated) {
	case FALLBACK_FORWARD:
		return VERDICT_GO_ON;
	case FALLBACK_PASS:
		return VERDICT_PASSED;
	default:
		return VERDICT_TRUNCATED;
	}
}

/* Notes the UDP or TCP header at the cursor, if it is whole. */
static __always_inline void inner_find_transport(struct packet *packet, struct cursor *cursor,
						 __u32 available)
{
	if ((packet->ip_protocol == IPPROTO_UDP && available >= sizeof(struct udphdr)) ||
	    (packet->ip_protocol == IPPROTO_TCP && available >= sizeof(struct tcphdr)))
		packet->l4_protocol = packet->ip_protocol;
	packet->transport = cursor->at;
}

static __always_inline enum verdict inner_parse_ipv4(struct packet *packet, struct cursor *cursor,
						     __u32 present)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 header_length, length;
	__u16 fragment;

	if (!ip || present < sizeof(*ip) || ip_version(ip) != 4)
		return inner_malformed(packet);
	header_length = ipv4_header_length(ip);
	length = bpf_ntohs(ip->tot_len);
	if (header_length < sizeof(*ip) || length < header_length)
		return inner_malformed(packet);
	packet->ip = ip;
	packet->version = 4;
	packet->ip_length = length;
	if (length > present) {
		enum verdict verdict = inner_truncated(packet, present);

		if (verdict != VERDICT_GO_ON)
			return verdict;
	}

	fragment = bpf_ntohs(ip->frag_off);
	packet->ip_protocol = ip->protocol;
	packet->fragment_id = ip->id;
	if (fragment & IPV4_FRAGMENT_OFFSET)
		packet->fragment_part = FRAGMENT_LATER;
	else if (fragment & IPV4_MF)
		packet->fragment_part = FRAGMENT_FIRST;
	if (packet->fragment_part != FRAGMENT_LATER && packet->ip_length > header_length) {
		cursor->at += header_length - sizeof(*ip);
		inner_find_transport(packet, cursor, packet->ip_length - header_length);
	}
	return VERDICT_GO_ON;
}

static __always_inline enum verdict inner_parse_ipv6(struct packet *packet, struct cursor *cursor,
						     __u32 present)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	struct ipv6_upper upper;
	__u32 length;

	if (!ip || present < sizeof(*ip) || ip_version(ip) != 6)
		return inner_malformed(packet);
	length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	packet->ip = ip;
	packet->version = 6;
	packet->ip_length = length;
	if (length > present) {
		enum verdict verdict = inner_truncated(packet, present);

		if (verdict != VERDICT_GO_ON)
			return verdict;
	}

	ipv6_find_upper(packet->ctx, bytes_between(packet->start, ip), packet->ip_length,
			ip->nexthdr, &upper);
	cursor->at = packet_at(packet, bytes_between(packet->start, ip) + upper.offset);
	packet->ip_protocol = upper.protocol;
	packet->fragment_part = upper.fragment_part;
	packet->fragment_id = upper.fragment_id;
	if (upper.reachable && packet->ip_length > upper.offset)
		inner_find_transport(packet, cursor, packet->ip_length - upper.offset);
	return VERDICT_GO_ON;
}

/* The cursor stands at the inner Ethernet header. */
static __always_inline enum verdict inner_parse(struct packet *packet, struct cursor *cursor)
{
	__u32 present = packet->inner_length - sizeof(struct ethhdr);
	struct ethhdr *ethernet = cursor_take(cursor, sizeof(*ethernet));

	if (!ethernet || packet->inner_length < sizeof(*ethernet))
		return inner_malformed(packet);
	packet->ethernet = ethernet;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP))
		return inner_parse_ipv4(packet, cursor, present);
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
		return inner_parse_ipv6(packet, cursor, present);
	packet->ip_length = present;
	if (config.next_hop == NEXT_HOP_KEEP && config.unmatched == FALLBACK_FORWARD)
		return VERDICT_GO_ON;
	return VERDICT_INNER_NOT_IP;
}

#endif
