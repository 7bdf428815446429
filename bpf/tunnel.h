/* SPDX-License-Identifier: GPL-2.0-only */
/* First stage: is this frame for us, may its sender send, and where does the inner frame start? */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <linux/udp.h>

#include "lookup.h"
#include "parse.h"

#define ETHERTYPE_QINQ 0x88a8
#define MAX_VLAN_TAGS  2

/* The outer addresses and lengths that later steps need. */
struct outer {
	struct source_key source;
	void *start;        /* of the IP header */
	__u32 ip_length;    /* by the IP header */
	__u32 upper_offset; /* of the UDP header, from the IP header's start */
};

static __always_inline bool is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETHERTYPE_QINQ);
}

static __always_inline bool take_ethernet(struct cursor *cursor, __be16 *ethertype)
{
	struct ethhdr *ethernet = cursor_take(cursor, sizeof(*ethernet));

	if (!ethernet)
		return false;
	*ethertype = ethernet->h_proto;
	for (int i = 0; i < MAX_VLAN_TAGS && is_vlan(*ethertype); i++) {
		struct vlan_header *vlan = cursor_take(cursor, sizeof(*vlan));

		if (!vlan)
			return false;
		*ethertype = vlan->ethertype;
	}
	return true;
}

static __always_inline enum verdict take_outer_ipv4(struct cursor *cursor, struct outer *outer)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 header_length;

	if (!ip || ip_version(ip) != 4 || ip->protocol != IPPROTO_UDP)
		return VERDICT_NOT_TUNNEL;
	header_length = ipv4_header_length(ip);
	if (header_length < sizeof(*ip))
		return VERDICT_NOT_TUNNEL;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET))
		return VERDICT_OUTER_FRAGMENT;
	outer->start = ip;
	outer->ip_length = bpf_ntohs(ip->tot_len);
	outer->upper_offset = header_length;
	outer->source.version = bpf_htonl(4);
	outer->source.address[0] = ip->saddr;
	cursor->at += header_length - sizeof(*ip);
	return ip->frag_off & bpf_htons(IPV4_MF) ? VERDICT_OUTER_FRAGMENT : VERDICT_GO_ON;
}

static __always_inline enum verdict take_outer_ipv6(struct packet *packet, struct cursor *cursor,
						    struct outer *outer)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	struct ipv6_upper upper;

	if (!ip || ip_version(ip) != 6)
		return VERDICT_NOT_TUNNEL;
	outer->ip_length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	outer->source.version = bpf_htonl(6);
	__builtin_memcpy(outer->source.address, &ip->saddr, sizeof(outer->source.address));
	ipv6_find_upper(packet->ctx, bytes_between(packet->start, ip), outer->ip_length,
			ip->nexthdr, &upper);
	outer->upper_offset = upper.offset;
	/* only the first fragment shows which protocol follows the extension headers */
	if (upper.fragment_part == FRAGMENT_LATER &&
	    (upper.protocol == IPPROTO_UDP || is_ipv6_extension(upper.protocol)))
		return VERDICT_OUTER_FRAGMENT;
	if (!upper.reachable || upper.protocol != IPPROTO_UDP)
		return VERDICT_NOT_TUNNEL;
	outer->start = ip;
	cursor->at = packet_at(packet, bytes_between(packet->start, ip) + upper.offset);
	return upper.fragment_part == FRAGMENT_FIRST ? VERDICT_OUTER_FRAGMENT : VERDICT_GO_ON;
}

/*
 * The set of the cache where an IPv4 source is, if it is there: the sources that were let in lately, of which there
 * are few. To ask the trie takes as long as all the rest.
 */
static __always_inline struct source_set *source_set_of(__be32 address)
{
	__u32 index = address * 0x9e3779b1U >> (32 - SOURCE_SET_BITS);

	return bpf_map_lookup_elem(&source_sets, &index);
}

static __always_inline bool source_is_known(__be32 address)
{
	const struct source_set *set = source_set_of(address);
	__u64 known = SOURCE_KNOWN | address;

	return set && (set->way[0] == known || set->way[1] == known);
}

/* The source that was let in before keeps a place: two that share a set do not drive each other out. */
static __always_inline void source_remember(__be32 address)
{
	struct source_set *set = source_set_of(address);

	if (!set || set->way[0] == (SOURCE_KNOWN | address))
		return;
	set->way[1] = set->way[0];
	set->way[0] = SOURCE_KNOWN | address;
}

/* Asks the trie for an IPv4 source: 1, and it is remembered, or 0. Not static: see ipv6_follow_extensions(). */
__attribute__((noinline)) int source_ask(__u32 address)
{
	struct source_key key = {.prefix_length = SOURCE_VERSION_BITS + 128,
				 .version = bpf_htonl(4),
				 .address = {address}};

	if (!bpf_map_lookup_elem(&sources, &key))
		return 0;
	source_remember(address);
	return 1;
}

static __always_inline bool source_is_let_in(__be32 address)
{
	return source_is_known(address) || source_ask(address);
}

static __always_inline bool source_allowed(struct outer *outer)
{
	if (!config.check_sources)
		return true;
	if (outer->source.version == bpf_htonl(4))
		return source_is_let_in(outer->source.address[0]);
	outer->source.prefix_length = SOURCE_VERSION_BITS + 128;
	return bpf_map_lookup_elem(&sources, &outer->source) != NULL;
}

/* This CPU's counter in map vni_hits. */
static __always_inline struct hits *vni_counter(__u32 index)
{
	index += bpf_get_smp_processor_id() * config.vni_counters;
	return bpf_map_lookup_elem(&vni_hits, &index);
}

/*
 * With `vnis: any`: the VNIs that arrive first have a counter each, the others share vni_hits[0].
 * The table of the first VNIs never shrinks. So a CPU that has once counted in vni_hits[0] knows
 * that it is full and does not try again: a failing insertion costs as much as all the rest.
 * NULL: the VNI has no counter yet.
 */
static __always_inline struct hits *vni_find_any(__u32 vni)
{
	struct hits *hits = bpf_map_lookup_elem(&vni_any, &vni);

	if (hits)
		return hits;
	hits = vni_counter(0);
	return hits && hits->packets ? hits : NULL;
}

static __always_inline struct hits *vni_add_any(__u32 vni)
{
	struct hits none = {}, *hits;

	bpf_map_update_elem(&vni_any, &vni, &none, BPF_NOEXIST);
	hits = bpf_map_lookup_elem(&vni_any, &vni);
	return hits ? hits : vni_counter(0);
}

/* The counter of the VNI's packets; NULL: it is not listed, or, with `vnis: any`, new. */
static __always_inline struct hits *vni_hits_of(__u32 vni)
{
	__u32 index = 0;

	switch (config.vni_mode) {
	case VNI_ONE:
		if (vni != config.vni)
			return NULL;
		break;
	case VNI_RANGE:
		index = vni - config.vni;
		if (index >= config.vni_count)
			return NULL;
		break;
	case VNI_LISTED:
		if (!vni_find(vni, &index))
			return NULL;
		break;
	default:
		return vni_find_any(vni);
	}
	return vni_counter(index);
}

/* The VXLAN header behind `udp`, held against all lengths; leaves the cursor at the inner Ethernet header. */
static __always_inline enum verdict tunnel_read_vxlan(struct packet *packet, struct cursor *cursor,
						      const struct outer *outer,
						      const struct udphdr *udp)
{
	__u32 udp_length = bpf_ntohs(udp->len);
	struct vxlan_header *vxlan;

	if (outer->ip_length > packet->length - bytes_between(packet->start, outer->start) ||
	    udp_length + outer->upper_offset > outer->ip_length ||
	    udp_length < sizeof(*udp) + sizeof(*vxlan))
		return VERDICT_MALFORMED;
	vxlan = cursor_take(cursor, sizeof(*vxlan));
	if (!vxlan)
		return VERDICT_MALFORMED;
	if (!(vxlan->flags & VXLAN_FLAG_VNI))
		return VERDICT_BAD_VXLAN;

	packet->vni = bpf_ntohl(vxlan->vni) >> 8;
	packet->inner_offset = bytes_between(packet->start, cursor->at);
	packet->inner_length = udp_length - sizeof(*udp) - sizeof(*vxlan);
	if (config.trace) {
		trace.vni = packet->vni;
		trace.inner_offset = packet->inner_offset;
	}
	packet->vni_hits = vni_hits_of(packet->vni);
	if (config.vni_mode == VNI_ANY && !packet->vni_hits)
		packet->vni_hits = vni_add_any(packet->vni);
	return packet->vni_hits ? VERDICT_GO_ON : VERDICT_UNKNOWN_VNI;
}

static __always_inline enum verdict tunnel_open(struct packet *packet, struct cursor *cursor)
{
	struct outer outer = {};
	struct udphdr *udp;
	enum verdict verdict;
	__be16 ethertype;

	if (!take_ethernet(cursor, &ethertype))
		return VERDICT_NOT_TUNNEL;
	if (ethertype == bpf_htons(ETH_P_IP))
		verdict = take_outer_ipv4(cursor, &outer);
	else if (ethertype == bpf_htons(ETH_P_IPV6))
		verdict = take_outer_ipv6(packet, cursor, &outer);
	else
		return VERDICT_NOT_TUNNEL;
	/* go on with a first fragment: its port shows whether it is the tunnel's */
	if (verdict != VERDICT_GO_ON && (verdict != VERDICT_OUTER_FRAGMENT || !outer.start))
		return verdict;

	udp = cursor_take(cursor, sizeof(*udp));
	if (!udp || udp->dest != config.port)
		return VERDICT_NOT_TUNNEL;
	if (verdict != VERDICT_GO_ON)
		return verdict;
	if (!source_allowed(&outer))
		return VERDICT_SOURCE_DENIED;
	return tunnel_read_vxlan(packet, cursor, &outer, udp);
}

#endif
