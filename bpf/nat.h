/* SPDX-License-Identifier: GPL-2.0-only */
/* Third stage: the first rule that matches gives the packet its new destination. */
#ifndef NAT_H
#define NAT_H

#include <linux/tcp.h>
#include <linux/udp.h>

#include "csum.h"
#include "forward.h"
#include "lookup.h"
#include "parse.h"

static __always_inline enum verdict nat_unmatched(struct packet *packet)
{
	switch (config.unmatched) {
	case FALLBACK_FORWARD:
		return VERDICT_GO_ON;
	case FALLBACK_PASS:
		return forward_to_kernel(packet);
	default:
		return VERDICT_UNMATCHED;
	}
}

/* UDP and TCP both begin with the two ports. */
static __always_inline __u64 nat_packet_word(const struct packet *packet)
{
	const struct udphdr *ports = packet->transport;

	return nat_key_word(ports->source, ports->dest, packet->vni,
			    packet->ip_protocol == IPPROTO_UDP ? NAT_PROTOCOL_UDP
							       : NAT_PROTOCOL_TCP);
}

static __always_inline void nat_find(const struct packet *packet, struct nat_target *target)
{
	if (packet->ip4 && config.nat4_shapes) {
		struct nat4_key key;

		key.word[0] = (__u64)packet->ip4->daddr << 32 | packet->ip4->saddr;
		key.word[1] = nat_packet_word(packet);
		nat4_find(&key, target);
	} else if (packet->ip6 && config.nat6_shapes) {
		struct nat6_key key;

		__builtin_memcpy(&key.word[0], &packet->ip6->saddr, 16);
		__builtin_memcpy(&key.word[2], &packet->ip6->daddr, 16);
		key.word[4] = nat_packet_word(packet);
		nat6_find(&key, target);
	}
}

static __always_inline void fragment_key_of(const struct packet *packet, struct fragment_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->id = packet->fragment_id;
	key->vni = packet->vni;
	if (packet->ip4) {
		key->version = 4;
		key->protocol = packet->ip4->protocol;
		key->source[0] = packet->ip4->saddr;
		key->destination[0] = packet->ip4->daddr;
	} else if (packet->ip6) {
		key->version = 6;
		__builtin_memcpy(key->source, &packet->ip6->saddr, 16);
		__builtin_memcpy(key->destination, &packet->ip6->daddr, 16);
	}
}

/* Remembers for the later fragments what was decided; an ID that is used again starts anew. */
static __always_inline void fragment_remember(const struct packet *packet,
					      const struct nat_target *target)
{
	struct fragment_decision decision = {};
	struct fragment_key key;

	fragment_key_of(packet, &key);
	if (!target->rule) {
		bpf_map_delete_elem(&fragments, &key);
		return;
	}
	decision.seen_at = bpf_ktime_get_ns();
	decision.rule = target->rule;
	decision.generation = config.generation;
	__builtin_memcpy(decision.address, target->address, sizeof(decision.address));
	bpf_map_update_elem(&fragments, &key, &decision, BPF_ANY);
}

/*
 * The decision for a later fragment: true if its first was matched not long ago. The rule's number
 * is left 0 when the rules have changed since.
 */
static __always_inline bool fragment_recall(struct packet *packet, struct nat_target *target)
{
	struct fragment_decision *decision;
	struct fragment_key key;

	fragment_key_of(packet, &key);
	decision = bpf_map_lookup_elem(&fragments, &key);
	if (!decision || bpf_ktime_get_ns() - decision->seen_at > FRAGMENT_LIFETIME_NS)
		return false;
	if (decision->generation == config.generation)
		target->rule = decision->rule;
	__builtin_memcpy(target->address, decision->address, sizeof(target->address));
	packet_event(packet, EVENT_FRAGMENT_FOLLOWED);
	return true;
}

/* Replaces the destination address; the return value is what a pseudo header's sum changed by. */
static __always_inline csum_delta nat_set_address(struct packet *packet,
						  const struct nat_target *target)
{
	csum_delta delta = 0;

	if (packet->ip4) {
		struct iphdr *ip = packet->ip4;

		delta = csum_change32(ip->daddr, target->address[0]);
		ip->daddr = target->address[0];
		ip->check = csum_update(ip->check, delta);
	} else if (packet->ip6) {
		struct ipv6hdr *ip = packet->ip6;

		for (int i = 0; i < 4; i++) {
			delta += csum_change32(ip->daddr.in6_u.u6_addr32[i], target->address[i]);
			ip->daddr.in6_u.u6_addr32[i] = target->address[i];
		}
	}
	return delta;
}

static __always_inline void nat_set_udp_checksum(const struct packet *packet, struct udphdr *udp,
						 csum_delta delta)
{
	if (config.udp_checksum == UDP_CHECKSUM_PRESERVE)
		return;
	if (packet->ip4) {
		/* none (RFC 768); over IPv6 there is always one (RFC 8200, section 8.1) */
		if (!udp->check)
			return;
		if (config.udp_checksum == UDP_CHECKSUM_ZERO) {
			udp->check = 0;
			return;
		}
	}
	udp->check = csum_update(udp->check, delta);
	if (!udp->check)
		udp->check = 0xffff;
}

static __always_inline void nat_set_transport(struct packet *packet,
					      const struct nat_target *target, csum_delta delta)
{
	struct udphdr *ports = packet->transport;

	if (target->flags & NAT_SET_PORT) {
		delta += csum_change16(ports->dest, target->port);
		ports->dest = target->port;
	}
	if (packet->ip_protocol == IPPROTO_UDP) {
		nat_set_udp_checksum(packet, packet->transport, delta);
	} else {
		struct tcphdr *tcp = packet->transport;

		tcp->check = csum_update(tcp->check, delta);
	}
}

static __always_inline void rule_count(struct packet *packet, __u32 rule)
{
	__u32 index = rule - 1;
	struct hits *hits = bpf_map_lookup_elem(&rule_hits, &index);

	if (hits)
		hits_add(hits, packet);
	packet->rule = rule;
}

static __always_inline enum verdict nat_apply(struct packet *packet)
{
	struct nat_target target = {};
	csum_delta delta;

	if (!config.nat4_shapes && !config.nat6_shapes)
		return nat_unmatched(packet);

	if (packet->fragment_part == FRAGMENT_LATER) {
		if (!fragment_recall(packet, &target))
			return nat_unmatched(packet);
	} else {
		if (packet->transport)
			nat_find(packet, &target);
		if (packet->fragment_part == FRAGMENT_FIRST)
			fragment_remember(packet, &target);
		if (!target.rule)
			return nat_unmatched(packet);
	}

	delta = nat_set_address(packet, &target);
	if (packet->transport)
		nat_set_transport(packet, &target, delta);
	if (target.rule)
		rule_count(packet, target.rule);
	packet_event(packet, EVENT_NAT_APPLIED);
	return VERDICT_GO_ON;
}

#endif
