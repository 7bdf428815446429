/* SPDX-License-Identifier: GPL-2.0-only */
/* Third stage: the first rule that matches gives the packet its new destination. */
#ifndef NAT_H
#define NAT_H

#include "csum.h"
#include "kernel.h"
#include "lookup.h"
#include "parse.h"

static __always_inline enum verdict nat_unmatched(void)
{
	switch (config.unmatched) {
	case FALLBACK_FORWARD:
		return VERDICT_GO_ON;
	case FALLBACK_PASS:
		return VERDICT_PASSED;
	default:
		return VERDICT_UNMATCHED;
	}
}

/* UDP and TCP both begin with the two ports. */
static __always_inline void nat_find(const struct packet *packet, struct nat_target *target)
{
	const struct udphdr *ports = packet->transport;
	__u64 word, zero = unknown_zero(packet->start);

	/* from an unknown zero, or the verifier explores "found" and "not found" separately */
	target->rule = zero;
	target->port = zero;
	target->next_hop = zero;
	for (int i = 0; i < 4; i++)
		target->address[i] = zero;
	if (!packet_holds(packet, packet->transport, sizeof(*ports)))
		return;
	word = nat_key_word(ports->source, ports->dest, packet->vni,
			    packet->l4_protocol == IPPROTO_UDP ? NAT_PROTOCOL_UDP
							       : NAT_PROTOCOL_TCP);
	if (packet->version == 4 && config.nat4_shapes) {
		const struct iphdr *ip = packet->ip;
		struct nat4_key key;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return;
		key.word[0] = (__u64)ip->daddr << 32 | ip->saddr;
		key.word[1] = word;
		nat4_find(&key, zero, target);
	} else if (packet->version == 6 && config.nat6_shapes) {
		const struct ipv6hdr *ip = packet->ip;
		struct nat6_key key;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return;
		__builtin_memcpy(&key.word[0], &ip->saddr, 16);
		__builtin_memcpy(&key.word[2], &ip->daddr, 16);
		key.word[4] = word;
		nat6_find(&key, zero, target);
	}
}

static __always_inline void fragment_key_of(const struct packet *packet, struct fragment_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->id = packet->fragment_id;
	key->vni = packet->vni;
	key->version = packet->version;
	if (packet->version == 4) {
		const struct iphdr *ip = packet->ip;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return;
		key->protocol = ip->protocol;
		key->source[0] = ip->saddr;
		key->destination[0] = ip->daddr;
	} else {
		const struct ipv6hdr *ip = packet->ip;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return;
		__builtin_memcpy(key->source, &ip->saddr, 16);
		__builtin_memcpy(key->destination, &ip->daddr, 16);
	}
}

/* Remembers for the later fragments what was decided. An ID that is used again starts anew. */
static __always_inline void fragment_remember(const struct packet *packet,
					      const struct nat_target *target)
{
	struct fragment_decision decision = {.seen_at = bpf_ktime_get_ns()};
	struct fragment_key key;

	fragment_key_of(packet, &key);
	if (!target->rule) {
		bpf_map_delete_elem(&fragments, &key);
		bpf_map_update_elem(&unmatched_firsts, &key, &decision.seen_at, BPF_ANY);
		return;
	}
	decision.rule = target->rule;
	decision.next_hop = target->next_hop;
	decision.generation = config.generation;
	__builtin_memcpy(decision.address, target->address, sizeof(decision.address));
	bpf_map_update_elem(&fragments, &key, &decision, BPF_ANY);
}

static __always_inline bool fragment_is_fresh(__u64 seen_at)
{
	return bpf_ktime_get_ns() - seen_at <= FRAGMENT_LIFETIME_NS;
}

/*
 * The decision for a later fragment: true if its first was matched not long ago. The rule's number
 * is left 0 when the rules have changed since.
 */
static __always_inline bool fragment_recall(struct packet *packet, struct nat_target *target)
{
	struct fragment_decision *decision;
	struct fragment_key key;
	__u64 *unmatched;

	fragment_key_of(packet, &key);
	decision = bpf_map_lookup_elem(&fragments, &key);
	if (!decision || !fragment_is_fresh(decision->seen_at)) {
		unmatched = bpf_map_lookup_elem(&unmatched_firsts, &key);
		if (!unmatched || !fragment_is_fresh(*unmatched))
			packet_event(packet, EVENT_FRAGMENT_ORPHANED);
		return false;
	}
	if (decision->generation == config.generation) {
		target->rule = decision->rule;
		target->next_hop = decision->next_hop;
	}
	__builtin_memcpy(target->address, decision->address, sizeof(target->address));
	packet_event(packet, EVENT_FRAGMENT_FOLLOWED);
	return true;
}

/* Replaces the destination address; the return value is what a pseudo header's sum changed by. */
static __always_inline csum_delta nat_set_address(struct packet *packet,
						  const struct nat_target *target)
{
	csum_delta delta = 0;

	if (packet->version == 4) {
		struct iphdr *ip = packet->ip;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return 0;
		delta = csum_change32(ip->daddr, target->address[0]);
		ip->daddr = target->address[0];
		ip->check = csum_update(ip->check, delta);
	} else {
		struct ipv6hdr *ip = packet->ip;

		if (!packet_holds(packet, packet->ip, sizeof(*ip)))
			return 0;
		for (int i = 0; i < 4; i++) {
			delta += csum_change32(ip->daddr.in6_u.u6_addr32[i], target->address[i]);
			ip->daddr.in6_u.u6_addr32[i] = target->address[i];
		}
	}
	return delta;
}

static __always_inline void nat_set_udp(struct packet *packet, const struct nat_target *target,
					csum_delta delta)
{
	struct udphdr *udp = packet->transport;

	if (!packet_holds(packet, packet->transport, sizeof(*udp)))
		return;
	if (target->port) {
		delta += csum_change16(udp->dest, target->port);
		udp->dest = target->port;
	}
	if (config.udp_checksum == UDP_CHECKSUM_PRESERVE)
		return;
	/* 0 means "none" and stays, over IPv4 (RFC 768) and over IPv6 (RFC 6935; RFC 8200, 8.1) */
	if (!udp->check)
		return;
	/*
	 * Over IPv6 a sum that is there stays: a receiver drops "none", except on ports that it has
	 * opened to it (RFC 8200, 8.1).
	 */
	if (packet->version == 4 && config.udp_checksum == UDP_CHECKSUM_ZERO) {
		udp->check = 0;
		return;
	}
	udp->check = csum_update(udp->check, delta);
	if (!udp->check)
		udp->check = 0xffff;
}

static __always_inline void nat_set_tcp(struct packet *packet, const struct nat_target *target,
					csum_delta delta)
{
	struct tcphdr *tcp = packet->transport;

	if (!packet_holds(packet, packet->transport, sizeof(*tcp)))
		return;
	if (target->port) {
		delta += csum_change16(tcp->dest, target->port);
		tcp->dest = target->port;
	}
	tcp->check = csum_update(tcp->check, delta);
}

static __always_inline void rule_count(struct packet *packet, __u32 rule)
{
	__u32 index = rule - 1;
	struct hits *hits = bpf_map_lookup_elem(&rule_hits, &index);

	if (hits)
		hits_add(hits, packet);
	if (config.trace)
		packet->trace->rule = rule;
}

static __always_inline enum verdict nat_apply(struct packet *packet)
{
	struct nat_target target = {};
	csum_delta delta;

	if (!config.nat4_shapes && !config.nat6_shapes)
		return nat_unmatched();

	if (packet->fragment_part == FRAGMENT_LATER) {
		if (!fragment_recall(packet, &target))
			return nat_unmatched();
	} else {
		if (packet->l4_protocol)
			nat_find(packet, &target);
		if (packet->fragment_part == FRAGMENT_FIRST)
			fragment_remember(packet, &target);
		if (!target.rule)
			return nat_unmatched();
	}

	delta = nat_set_address(packet, &target);
	if (packet->l4_protocol == IPPROTO_UDP)
		nat_set_udp(packet, &target, delta);
	else if (packet->l4_protocol == IPPROTO_TCP)
		nat_set_tcp(packet, &target, delta);
	if (target.rule) {
		rule_count(packet, target.rule);
		packet->next_hop = target.next_hop + 1;
	}
	packet->readdressed = true;
	packet_event(packet, EVENT_NAT_APPLIED);
	return VERDICT_GO_ON;
}

#endif
