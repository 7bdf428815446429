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

/* `protocol`: IPPROTO_UDP or _TCP. */
static __always_inline __u64 nat_protocol(__u32 protocol)
{
	return protocol == IPPROTO_UDP ? NAT_PROTOCOL_UDP : NAT_PROTOCOL_TCP;
}

/* The rule that matches the key; NULL: none does. A single rule is a constant of the program. */
static __always_inline const volatile struct nat4_slot *nat4_rule(__u64 addresses, __u64 rest)
{
	const volatile struct nat4_slot *only = &config.nat4_only;
	const volatile struct nat4_shape *shape = &config.nat4_shape[0];
	__u32 place;

	if (config.nat4_rules == 1)
		return (addresses & shape->mask.word[0]) == only->key.word[0] &&
				       (rest & shape->mask.word[1]) == only->key.word[1]
			       ? only
			       : NULL;
	place = nat4_find(addresses, rest);
	return bpf_map_lookup_elem(&nat4_slots, &place);
}

static __always_inline void nat4_target(const struct packet *packet, __u64 rest,
					struct nat_target *target)
{
	const struct iphdr *ip = packet->ip;
	const volatile struct nat4_slot *slot;

	if (!packet_holds(packet, packet->ip, sizeof(*ip)))
		return;
	slot = nat4_rule((__u64)ip->daddr << 32 | ip->saddr, rest);
	if (!slot)
		return;
	target->rule = slot->rule;
	target->address[0] = slot->target.address;
	target->port = slot->target.port;
	target->next_hop = slot->target.next_hop;
	target->counter = slot->counter;
}

static __always_inline void nat6_target(const struct packet *packet, __u64 rest,
					struct nat_target *target)
{
	const __u64 *addresses = packet->ip + __builtin_offsetof(struct ipv6hdr, saddr);
	const struct nat6_slot *slot;
	__u32 place;

	if (!packet_holds(packet, packet->ip, sizeof(struct ipv6hdr)))
		return;
	place = nat6_find(addresses[0], addresses[1], addresses[2], addresses[3], rest);
	slot = bpf_map_lookup_elem(&nat6_slots, &place);
	if (!slot)
		return;
	target->rule = slot->rule;
	__builtin_memcpy(target->address, slot->address, sizeof(target->address));
	target->port = slot->port;
	target->next_hop = slot->next_hop;
	target->counter = place;
}

/* UDP and TCP both begin with the two ports. */
static __always_inline void nat_find(const struct packet *packet, struct nat_target *target)
{
	const struct udphdr *ports = packet->transport;
	__u64 rest, zero = unknown_zero(packet->start);

	/* from an unknown zero, or the verifier explores "found" and "not found" separately */
	target->rule = zero;
	target->port = zero;
	target->next_hop = zero;
	target->counter = zero;
	for (int i = 0; i < 4; i++)
		target->address[i] = zero;
	if (!packet_holds(packet, packet->transport, sizeof(*ports)))
		return;
	rest = nat_key_word(ports->source, ports->dest, packet->vni,
			    nat_protocol(packet->l4_protocol));
	if (packet->version == 4 && config.nat4_shapes)
		nat4_target(packet, rest, target);
	else if (packet->version == 6 && config.nat6_shapes)
		nat6_target(packet, rest, target);
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
static __attribute__((noinline)) void fragment_remember(const struct packet *packet,
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
	decision.counter = target->counter;
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
 * is left 0 when the rules have changed since; then no rule counts it, and the kernel is asked for the way.
 */
static __attribute__((noinline)) bool fragment_recall(struct packet *packet,
						      struct nat_target *target)
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
		target->counter = decision->counter;
	}
	__builtin_memcpy(target->address, decision->address, sizeof(target->address));
	packet_event(packet, EVENT_FRAGMENT_FOLLOWED);
	return true;
}

/* Sets the destination address; returns what the sum of a pseudo header changed by. */
static __always_inline csum_delta ipv4_set_destination(struct iphdr *ip, __be32 address)
{
	csum_delta delta = csum_change32(ip->daddr, address);

	ip->daddr = address;
	ip->check = csum_update(ip->check, delta);
	return delta;
}

static __always_inline csum_delta ipv6_set_destination(struct ipv6hdr *ip, const __be32 *address)
{
	csum_delta delta = 0;

	for (int i = 0; i < 4; i++) {
		delta += csum_change32(ip->daddr.in6_u.u6_addr32[i], address[i]);
		ip->daddr.in6_u.u6_addr32[i] = address[i];
	}
	return delta;
}

/* `delta`: what the pseudo header's sum changed by; `version`: of the IP header in front. */
static __always_inline void udp_set_destination(struct udphdr *udp, __be16 port, csum_delta delta,
						__u32 version, enum udp_checksum_mode mode)
{
	if (port) {
		delta += csum_change16(udp->dest, port);
		udp->dest = port;
	}
	if (mode == UDP_CHECKSUM_PRESERVE)
		return;
	/* 0 means "none" and stays, over IPv4 (RFC 768) and over IPv6 (RFC 6935; RFC 8200, 8.1) */
	if (!udp->check)
		return;
	/*
	 * Over IPv6 a sum that is there stays: a receiver drops "none", except on ports that it has
	 * opened to it (RFC 8200, 8.1).
	 */
	if (version == 4 && mode == UDP_CHECKSUM_ZERO) {
		udp->check = 0;
		return;
	}
	udp->check = csum_update(udp->check, delta);
	if (!udp->check)
		udp->check = 0xffff;
}

static __always_inline void tcp_set_destination(struct tcphdr *tcp, __be16 port, csum_delta delta)
{
	if (port) {
		delta += csum_change16(tcp->dest, port);
		tcp->dest = port;
	}
	tcp->check = csum_update(tcp->check, delta);
}

static __always_inline void nat_rewrite(struct packet *packet, const struct nat_target *target)
{
	csum_delta delta = 0;

	if (packet->version == 4) {
		if (packet_holds(packet, packet->ip, sizeof(struct iphdr)))
			delta = ipv4_set_destination(packet->ip, target->address[0]);
	} else if (packet_holds(packet, packet->ip, sizeof(struct ipv6hdr))) {
		delta = ipv6_set_destination(packet->ip, target->address);
	}
	if (packet->l4_protocol == IPPROTO_UDP) {
		if (packet_holds(packet, packet->transport, sizeof(struct udphdr)))
			udp_set_destination(packet->transport, target->port, delta, packet->version,
					    config.udp_checksum);
	} else if (packet->l4_protocol == IPPROTO_TCP) {
		if (packet_holds(packet, packet->transport, sizeof(struct tcphdr)))
			tcp_set_destination(packet->transport, target->port, delta);
	}
}

/* This CPU's counter of a rule; `of_each`: how many each CPU has. */
static __always_inline struct rule_counter *rule_hits_of(__u32 counter, __u32 of_each)
{
	__u32 index = bpf_get_smp_processor_id() * of_each + counter;

	return bpf_map_lookup_elem(&rule_hits, &index);
}

static __always_inline void rule_hits_add(struct rule_counter *hits, __u64 length)
{
	hits->packets += 1U << RULE_TARGET_BITS;
	hits->bytes += length;
}

static __always_inline void rule_count(struct packet *packet, __u32 rule, __u32 counter)
{
	struct rule_counter *hits = rule_hits_of(counter, config.rule_counters);

	if (hits)
		rule_hits_add(hits, packet->length);
	if (config.trace)
		trace.rule = rule;
}

static __always_inline enum verdict nat_apply(struct packet *packet)
{
	struct nat_target target = {};

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

	nat_rewrite(packet, &target);
	if (target.rule) {
		rule_count(packet, target.rule, target.counter);
		packet->ruled = true;
		packet->next_hop = target.next_hop + 1;
	}
	packet->readdressed = true;
	packet_event(packet, EVENT_NAT_APPLIED);
	return VERDICT_GO_ON;
}

#endif
