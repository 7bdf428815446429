/* SPDX-License-Identifier: GPL-2.0-only */
/* Perfect-hash lookup, the reading half of src/rules/perfect_hash.c. */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "packet.h"

/* A table's geometry as it is among the constants. */
static __always_inline struct table table_of(const volatile struct table *constants)
{
	struct table table = {.seed = constants->seed,
			      .bucket_mask = constants->bucket_mask,
			      .slots = constants->slots};

	return table;
}

static __always_inline __u64 table_displacement(void *displacements, __u32 bucket)
{
	__u32 word = bucket / TABLE_DISPLACEMENTS_PER_WORD;
	__u64 *packed = bpf_map_lookup_elem(displacements, &word);

	return packed ? *packed >> bucket % TABLE_DISPLACEMENTS_PER_WORD * TABLE_DISPLACEMENT_BITS
		      : 0;
}

/* The slot where the key that hashed to `hash` lives, if it is in the table at all. */
static __always_inline __u32 table_find(const struct table *table, void *displacements, __u64 hash)
{
	struct table_place place = table_place(table->bucket_mask, hash);
	__u64 displacement = 0;

	if (table->bucket_mask)
		displacement = table_displacement(displacements, place.bucket);
	return table_slot(table->slots, place, displacement);
}

static __always_inline bool vni_find(__u32 vni, __u32 *index)
{
	struct table table = table_of(&config.vnis);
	__u32 number = table_find(&table, &vni_displacements, table_mix(table.seed, vni));
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
	__u32 counter; /* among those that each CPU has in map `rule_hits` */
};

/*
 * Does rule `one` come before rule `other`? Rule 0 means none; 0 - 1 wraps, so it comes after all. Adding `zero`, from
 * unknown_zero(), keeps the verifier from forking the loop on the result.
 */
static __always_inline bool comes_before(__u32 one, __u32 other, __u64 zero)
{
	one += zero;
	return one - 1 < other - 1;
}

/*
 * The slot of the first IPv4 rule that matches a key (struct nat4_key), or NO_SLOT. A function of its own, since the
 * loop needs the registers; and not static, so that the verifier goes through the loop once: for that it returns a
 * number, not a pointer. What is kept for the next shape is added to a zero of which the verifier does not know that
 * it is the one in the comparison before: it would remember what that says of the number.
 */
__attribute__((noinline)) __u32 nat4_find(__u64 addresses, __u64 rest)
{
	__u64 zero = unknown_zero((const void *)addresses), other_zero = zero;
	__u32 rule = zero, found = NO_SLOT + zero;

	for (__u32 i = 0; i < PIPELINE_MAX_SHAPES; i++) {
		const volatile struct nat4_shape *shape = &config.nat4_shape[i];
		__u32 place, number;

		if (i >= config.nat4_shapes)
			break;
		/* most shapes differ from the packet in what their rules have in common */
		if ((rest ^ shape->value.word[1]) & shape->common.word[1] ||
		    (addresses ^ shape->value.word[0]) & shape->common.word[0])
			continue;
		place = shape->only;
		number = shape->first_rule;
		if (place == NO_SLOT) {
			struct table table = table_of(&config.nat4);
			__u64 word0 = addresses & shape->mask.word[0];
			__u64 word1 = (rest & shape->mask.word[1]) | (__u64)i << NAT_SHAPE_SHIFT;
			const struct nat4_slot *slot;

			place = table_find(&table, &nat4_displacements,
					   table_mix(table_mix(table.seed, word0), word1));
			slot = bpf_map_lookup_elem(&nat4_slots, &place);
			if (!slot || (slot->key.word[1] ^ word1) | (slot->key.word[0] ^ word0))
				continue;
			number = slot->rule;
		}
		if (!comes_before(number, rule, zero))
			continue;
		asm volatile("" : "+r"(other_zero));
		rule = number + other_zero;
		found = place + other_zero;
		if (comes_before(rule, shape->next_rule, zero))
			break;
	}
	return found;
}

/* A word of a key as it is in the tables, of shape `number`. */
static __always_inline __u64 nat6_word(const __u64 *key, __u32 number, int n)
{
	__u64 word = key[n] & config.nat6_shape[number].mask.word[n];

	return n == 4 ? word | (__u64)number << NAT_SHAPE_SHIFT : word;
}

static __always_inline bool nat6_differs(const __u64 *key, __u32 number)
{
	const volatile struct nat6_shape *shape = &config.nat6_shape[number];
	__u64 differ = 0;

	for (int n = 0; n < 5; n++)
		differ |= (key[n] ^ shape->value.word[n]) & shape->common.word[n];
	return differ;
}

/* The same for IPv6 and the words of struct nat6_key. */
__attribute__((noinline)) __u32 nat6_find(__u64 word0, __u64 word1, __u64 word2, __u64 word3,
					  __u64 word4)
{
	const __u64 key[] = {word0, word1, word2, word3, word4};
	__u64 zero = unknown_zero((const void *)word0), other_zero = zero;
	__u32 rule = zero, found = NO_SLOT + zero;

	for (__u32 i = 0; i < PIPELINE_MAX_SHAPES; i++) {
		struct table table = table_of(&config.nat6);
		__u64 hash = table.seed, differ = 0;
		const struct nat6_slot *slot;
		__u32 place;

		if (i >= config.nat6_shapes)
			break;
		if (nat6_differs(key, i))
			continue;
		for (int n = 0; n < 5; n++)
			hash = table_mix(hash, nat6_word(key, i, n));
		place = table_find(&table, &nat6_displacements, hash);
		slot = bpf_map_lookup_elem(&nat6_slots, &place);
		if (!slot || !comes_before(slot->rule, rule, zero))
			continue;
		for (int n = 0; n < 5; n++)
			differ |= slot->key.word[n] ^ nat6_word(key, i, n);
		if (differ)
			continue;
		asm volatile("" : "+r"(other_zero));
		rule = slot->rule + other_zero;
		found = place + other_zero;
		if (comes_before(rule, config.nat6_shape[i].next_rule, zero))
			break;
	}
	return found;
}

#endif
