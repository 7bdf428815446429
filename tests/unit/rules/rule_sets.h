/* SPDX-License-Identifier: GPL-2.0-only */
/* Random rules, packets for them, and a linear search for the first rule that matches. */
#ifndef RULE_SETS_H
#define RULE_SETS_H

#include "config/config.h"
#include "tests/unit/unit.h"

/* The keys that a rule may match on, as bits. */
enum rule_keys {
	RULE_SOURCE = 1,
	RULE_DESTINATION = 2,
	RULE_VNI = 4,
	RULE_SOURCE_PORT = 8,
	RULE_DESTINATION_PORT = 16,
	RULE_PROTOCOL = 32,
	RULE_ALL_KEYS = 63,
};

#define RULE_SET_MAX 400

struct rule_set {
	struct nat_rule *rules;
	size_t count;
	unsigned int seed; /* given to rule_set_begin() */
	uint64_t random;
};

/* A packet as rules look at it. */
struct packet {
	int version;
	struct ip_address source;
	struct ip_address destination;
	uint32_t vni;
	uint16_t source_port; /* host order */
	uint16_t destination_port;
	uint8_t protocol; /* enum nat_protocol, never ANY */
};

/* A number below `limit`; the same sequence for each seed (xorshift64*). */
static inline uint32_t rule_set_random(struct rule_set *set, uint32_t limit)
{
	set->random ^= set->random >> 12;
	set->random ^= set->random << 25;
	set->random ^= set->random >> 27;
	return (uint32_t)(set->random * 0x2545f4914f6cdd1dULL >> 32) % limit;
}

static inline void rule_set_begin(struct rule_set *set, unsigned int seed)
{
	*set = (struct rule_set){.seed = seed, .random = seed * 0x9e3779b97f4a7c15ULL};
	set->rules = calloc(RULE_SET_MAX, sizeof(*set->rules));
	assert_non_null(set->rules);
}

static inline void rule_set_end(struct rule_set *set)
{
	free(set->rules);
}

/* Few values, so that packets match rules; they differ in the first and in the last bits, too. */
static inline struct ip_address rule_set_address(struct rule_set *set, int version)
{
	static const uint8_t values[] = {0x00, 0x01, 0x0a, 0x80, 0xff};
	struct ip_address address = {.version = (uint8_t)version};
	size_t last = version == 4 ? 3 : 15;

	address.bytes[0] = values[rule_set_random(set, COUNT_OF(values))];
	address.bytes[version == 4 ? 1 : 8] = (uint8_t)(rule_set_random(set, 2) << 7);
	address.bytes[version == 4 ? 2 : 7] = (uint8_t)rule_set_random(set, 3);
	address.bytes[last] = values[rule_set_random(set, COUNT_OF(values))];
	return address;
}

/* Few values, which differ in the first and in the last bit. */
static inline uint16_t rule_set_port(struct rule_set *set)
{
	static const uint16_t ports[] = {1, 2, 0x100, 42844, 0xffff};

	return ports[rule_set_random(set, COUNT_OF(ports))];
}

static inline uint32_t rule_set_vni(struct rule_set *set)
{
	static const uint32_t vnis[] = {0, 1, 0x010000, 0x800000, PIPELINE_VNI_MAX};

	return vnis[rule_set_random(set, COUNT_OF(vnis))];
}

/* A rule with these keys and prefix lengths. Fields that has_* denies hold random values, too. */
static inline void rule_set_make(struct rule_set *set, struct nat_rule *rule, int version,
				 unsigned int keys, uint8_t source_length,
				 uint8_t destination_length)
{
	struct ip_address address;

	memset(rule, 0, sizeof(*rule));
	address = rule_set_address(set, version);
	if (keys & RULE_SOURCE)
		rule->source = ip_prefix_of(&address, source_length);
	address = rule_set_address(set, version);
	if (keys & RULE_DESTINATION)
		rule->destination = ip_prefix_of(&address, destination_length);
	rule->has_vni = keys & RULE_VNI;
	rule->vni = rule_set_vni(set);
	rule->has_source_port = keys & RULE_SOURCE_PORT;
	rule->source_port = rule_set_port(set);
	rule->has_destination_port = keys & RULE_DESTINATION_PORT;
	rule->destination_port = rule_set_port(set);
	rule->protocol = keys & RULE_PROTOCOL ? 1 + rule_set_random(set, 2) : NAT_PROTOCOL_ANY;
	rule->to.address = rule_set_address(set, version);
	rule->to.port = (uint16_t)rule_set_random(set, 0x10000);
}

/* 0.0.0.0/0 matches the same as no prefix. */
static inline bool prefixes_match_the_same(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->length == b->length &&
	       memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes)) == 0;
}

static inline bool rules_match_the_same(const struct nat_rule *a, const struct nat_rule *b)
{
	return a->to.address.version == b->to.address.version &&
	       prefixes_match_the_same(&a->source, &b->source) &&
	       prefixes_match_the_same(&a->destination, &b->destination) &&
	       a->has_vni == b->has_vni && (!a->has_vni || a->vni == b->vni) &&
	       a->has_source_port == b->has_source_port &&
	       (!a->has_source_port || a->source_port == b->source_port) &&
	       a->has_destination_port == b->has_destination_port &&
	       (!a->has_destination_port || a->destination_port == b->destination_port) &&
	       a->protocol == b->protocol;
}

/* Adds a rule, unless another one matches the same: validation refuses such configurations. */
static inline void rule_set_add(struct rule_set *set, int version, unsigned int keys,
				uint8_t source_length, uint8_t destination_length)
{
	struct nat_rule *rule = &set->rules[set->count];

	assert_true(set->count < RULE_SET_MAX);
	rule_set_make(set, rule, version, keys, source_length, destination_length);
	for (size_t i = 0; i < set->count; i++) {
		if (rules_match_the_same(&set->rules[i], rule))
			return;
	}
	set->count++;
}

static inline void rule_set_shuffle(struct rule_set *set)
{
	for (size_t i = set->count; i > 1; i--) {
		size_t other = rule_set_random(set, (uint32_t)i);
		struct nat_rule rule = set->rules[i - 1];

		set->rules[i - 1] = set->rules[other];
		set->rules[other] = rule;
	}
}

/* Copies the bits of the prefix over the first bits of the address. */
static inline void prefix_lay_over(const struct ip_prefix *prefix, struct ip_address *address)
{
	for (unsigned int bit = 0; bit < prefix->length; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		address->bytes[bit / 8] &= (uint8_t)~mask;
		address->bytes[bit / 8] |= prefix->address.bytes[bit / 8] & mask;
	}
}

/*
 * A random packet. If `rule` is given, the rule matches the packet, except that one packet in three
 * has one random field.
 */
static inline struct packet rule_set_packet(struct rule_set *set, const struct nat_rule *rule)
{
	int version = rule ? rule->to.address.version : rule_set_random(set, 2) ? 4 : 6;
	struct packet packet = {
		.version = version,
		.source = rule_set_address(set, version),
		.destination = rule_set_address(set, version),
		.vni = rule_set_vni(set),
		.source_port = rule_set_port(set),
		.destination_port = rule_set_port(set),
		.protocol = (uint8_t)(1 + rule_set_random(set, 2)),
	};
	unsigned int keep = rule ? RULE_ALL_KEYS : 0;

	if (rule && rule_set_random(set, 3) == 0)
		keep &= ~(1U << rule_set_random(set, 6));
	if (keep & RULE_SOURCE)
		prefix_lay_over(&rule->source, &packet.source);
	if (keep & RULE_DESTINATION)
		prefix_lay_over(&rule->destination, &packet.destination);
	if (keep & RULE_VNI && rule->has_vni)
		packet.vni = rule->vni;
	if (keep & RULE_SOURCE_PORT && rule->has_source_port)
		packet.source_port = rule->source_port;
	if (keep & RULE_DESTINATION_PORT && rule->has_destination_port)
		packet.destination_port = rule->destination_port;
	if (keep & RULE_PROTOCOL && rule->protocol)
		packet.protocol = rule->protocol;
	return packet;
}

/* Bit by bit: shares no code with the tables under test. */
static inline bool prefix_matches(const struct ip_prefix *prefix, const struct ip_address *address)
{
	for (unsigned int bit = 0; bit < prefix->length; bit++) {
		unsigned int differ = prefix->address.bytes[bit / 8] ^ address->bytes[bit / 8];

		if (differ >> (7 - bit % 8) & 1)
			return false;
	}
	return true;
}

static inline bool rule_matches(const struct nat_rule *rule, const struct packet *packet)
{
	return rule->to.address.version == packet->version &&
	       prefix_matches(&rule->source, &packet->source) &&
	       prefix_matches(&rule->destination, &packet->destination) &&
	       (!rule->has_vni || rule->vni == packet->vni) &&
	       (!rule->has_source_port || rule->source_port == packet->source_port) &&
	       (!rule->has_destination_port ||
		rule->destination_port == packet->destination_port) &&
	       (!rule->protocol || rule->protocol == packet->protocol);
}

/* The number of the first rule that matches, counted from 1; 0: none. */
static inline uint32_t rule_set_match(const struct rule_set *set, const struct packet *packet)
{
	for (size_t i = 0; i < set->count; i++) {
		if (rule_matches(&set->rules[i], packet))
			return (uint32_t)i + 1;
	}
	return 0;
}

#endif
