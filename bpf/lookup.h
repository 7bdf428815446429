/* SPDX-License-Identifier: GPL-2.0-only */
/* Perfect-hash lookup, the reading half of src/rules/perfect_hash.c. */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "packet.h"

/* The slot where the key that hashed to `hash` lives, if it is in the table at all. */
static __always_inline __u32 table_find(const volatile struct table *constants, void *displacements,
					__u64 hash)
{
	struct table table = {.bucket_mask = constants->bucket_mask,
			      .slot_mask = constants->slot_mask};
	struct table_place place = table_place(&table, hash);
	__u32 word = place.bucket / TABLE_DISPLACEMENTS_PER_WORD;
	__u64 displacement = 0;

	if (table.bucket_mask) {
		__u64 *packed = bpf_map_lookup_elem(displacements, &word);

		if (packed)
			displacement = *packed >> place.bucket % TABLE_DISPLACEMENTS_PER_WORD *
							  TABLE_DISPLACEMENT_BITS;
	}
	return table_slot(&table, place, displacement);
}

static __always_inline bool vni_find(__u32 vni, __u32 *index)
{
	__u64 hash = table_mix(config.vnis.seed, vni);
	__u32 number = table_find(&config.vnis, &vni_displacements, hash);
	struct vni_slot *slot = bpf_map_lookup_elem(&vni_slots, &number);

	if (!slot || slot->vni != vni)
		return false;
	*index = slot->index;
	return true;
}

/* The first rule that matches a packet, and its target; rule 0: none matches. */
struct nat_target {
	__be32 address[4]; /* IPv4: the first element */
	__u32 rule;
	__be16 port;
	__u16 next_hop;
};

/*
 * Does the rule found so far come before rule `rule`? Rule 0 means none; 0 - 1 wraps, so it sorts
 * last. Adding `zero`, from unknown_zero(), keeps the verifier from forking the loop on the result.
 */
static __always_inline bool comes_before(const struct nat_target *target, __u32 rule, __u64 zero)
{
	__u32 found = target->rule + zero;

	return found - 1 < rule - 1;
}

/* Compares a packet with the only rule, which is a constant of the program. */
static __always_inline void nat4_compare(const struct nat4_key *key, struct nat_target *target)
{
	const volatile struct nat4_slot *only = &config.nat4_only;
	const volatile struct nat4_shape *shape = &config.nat4_shape[0];

	if ((key->word[0] & shape->mask.word[0]) != only->key.word[0] ||
	    (key->word[1] & shape->mask.word[1]) != only->key.word[1])
		return;
	target->rule = only->rule;
	target->address[0] = only->address;
	target->port = only->port;
	target->next_hop = only->next_hop;
}

/* Looks a packet up in one shape; keeps the rule found there if it comes before `target`'s. */
static __always_inline void nat4_look_up(const struct nat4_key *key, __u32 number, __u64 zero,
					 struct nat_target *target)
{
	const volatile struct nat4_shape *shape = &config.nat4_shape[number];
	__u64 word0 = key->word[0] & shape->mask.word[0];
	__u64 word1 = (key->word[1] & shape->mask.word[1]) | (__u64)number << NAT_SHAPE_SHIFT;
	__u32 place = table_find(&config.nat4, &nat4_displacements,
				 table_mix(table_mix(config.nat4.seed, word0), word1));
	struct nat4_slot *slot = bpf_map_lookup_elem(&nat4_slots, &place);

	if (!slot || (slot->key.word[1] ^ word1) | (slot->key.word[0] ^ word0) ||
	    comes_before(target, slot->rule, zero))
		return;
	target->rule = slot->rule;
	target->address[0] = slot->address;
	target->port = slot->port;
	target->next_hop = slot->next_hop;
}

static __always_inline void nat4_find(const struct nat4_key *key, __u64 zero,
				      struct nat_target *target)
{
	if (config.nat4_rules == 1) {
		nat4_compare(key, target);
		return;
	}
	for (__u32 i = 0; i < PIPELINE_MAX_SHAPES; i++) {
		if (i >= config.nat4_shapes ||
		    comes_before(target, config.nat4_shape[i].first_rule, zero))
			break;
		nat4_look_up(key, i, zero, target);
	}
}

static __always_inline void nat6_find(const struct nat6_key *key, __u64 zero,
				      struct nat_target *target)
{
	for (__u32 i = 0; i < PIPELINE_MAX_SHAPES; i++) {
		const volatile struct nat6_shape *shape = &config.nat6_shape[i];
		struct nat6_slot *slot;
		__u64 word, hash = config.nat6.seed, differ = 0;
		struct nat6_key masked;
		__u32 number;

		if (i >= config.nat6_shapes || comes_before(target, shape->first_rule, zero))
			break;
		for (int n = 0; n < 5; n++) {
			word = key->word[n] & shape->mask.word[n];
			if (n == 4)
				word |= (__u64)i << NAT_SHAPE_SHIFT;
			masked.word[n] = word;
			hash = table_mix(hash, word);
		}
		number = table_find(&config.nat6, &nat6_displacements, hash);
		slot = bpf_map_lookup_elem(&nat6_slots, &number);
		if (!slot || comes_before(target, slot->rule, zero))
			continue;
		for (int n = 0; n < 5; n++)
			differ |= slot->key.word[n] ^ masked.word[n];
		if (differ)
			continue;
		target->rule = slot->rule;
		__builtin_memcpy(target->address, slot->address, sizeof(target->address));
		target->port = slot->port;
		target->next_hop = slot->next_hop;
	}
}

#endif
