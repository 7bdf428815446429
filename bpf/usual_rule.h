/* SPDX-License-Identifier: GPL-2.0-only */
/* The usual way (usual.h): the rule that matches, by what is configured: one rule, several of one shape, any. */
#ifndef USUAL_RULE_H
#define USUAL_RULE_H

#include "nat.h"
#include "usual_frame.h"

/* Where a key is in the table of rules that have all one shape, if it is there. */
static __always_inline __u32 usual_look_up(const struct usual *usual, const struct nat4_key *masked)
{
	__u64 hash = table_mix(table_mix(CONSTANT(TABLE_SEED), masked->word[0]), masked->word[1]);
	struct table_place place = table_place(CONSTANT(TABLE_BUCKET_MASK), hash);
	__u64 displacement = 0;

	if (CHOSEN_BY(usual->length, TABLE_BUCKET_MASK))
		displacement = table_displacement(&nat4_displacements, place.bucket);
	return table_slot(CONSTANT(TABLE_SLOTS), place, displacement);
}

/* The target of the rule that usual->of_rule counts for, if that has this folded key. */
static __always_inline const volatile struct nat4_target *
usual_folded(const struct usual *usual, const struct nat4_key *masked)
{
	__u64 key = CHOSEN_BY(usual->length, FOLD_UPPER)
			    ? nat4_fold(masked, CONSTANT(FOLD_LOWER), CONSTANT(FOLD_UPPER))
			    : nat4_fold(masked, CONSTANT(FOLD_LOWER), 0);
	__u32 index;

	if (usual->of_rule->key != key)
		return NULL;
	/* need not wait until memory says which */
	if (CHOSEN_BY(usual->length, ONE_TARGET))
		return &config.nat4_only.target;
	index = usual->of_rule->packets & ((1U << RULE_TARGET_BITS) - 1);
	return bpf_map_lookup_elem(&nat4_targets, &index);
}

/* The target of the rule in a slot, if it matches. nat4_find() has compared; here, as there, `|` for one branch. */
static __always_inline const volatile struct nat4_target *
usual_in_slot(const struct usual *usual, const struct nat4_key *masked, __u32 place)
{
	const struct nat4_slot *slot = bpf_map_lookup_elem(&nat4_slots, &place);

	if (!slot || !slot->rule)
		return NULL;
	if (CHOSEN_BY(usual->length, ONE_SHAPE) &&
	    (masked->word[0] ^ slot->key.word[0]) | (masked->word[1] ^ slot->key.word[1]))
		return NULL;
	return &slot->target;
}

/* The target of the only rule, if it matches. There is one VNI, too: whether that matches is known, and so for protocols. */
static __always_inline const volatile struct nat4_target *
usual_only_rule(const struct usual *usual, const void *frame, bool udp)
{
	if (udp ? !CHOSEN_BY(usual->length, RULE_UDP) : !CHOSEN_BY(usual->length, RULE_TCP))
		return NULL;
	if (CHOSEN_SELDOM(usual->length, RULE_ADDRESSES) &&
	    (frame_u64(frame + USUAL_IP + 12) & CONSTANT(SHAPE_MASK0)) != CONSTANT(RULE_KEY0))
		return NULL;
	if ((frame_u32(frame + USUAL_TRANSPORT) & CONSTANT(RULE_PORTS_MASK)) !=
	    CONSTANT(RULE_PORTS))
		return NULL;
	if (CHOSEN_SELDOM(usual->length, TRACE))
		trace.rule = config.nat4_only.rule;
	return &config.nat4_only.target;
}

/* The number of the rule in a slot, for `explain`. */
static __always_inline __u32 usual_number(__u32 place)
{
	const struct nat4_slot *slot = bpf_map_lookup_elem(&nat4_slots, &place);

	return slot ? slot->rule : 0;
}

/* As usual_rule(), where that has one rule only. */
static __always_inline const volatile struct nat4_target *
usual_one_rule(struct usual *usual, const struct nat4_key *masked)
{
	usual->of_rule = rule_hits_of(CONSTANT(FIRST_COUNTER), CONSTANT(COUNTERS_PER_CPU));
	if (!usual->of_rule || masked->word[0] != CONSTANT(RULE_KEY0) ||
	    masked->word[1] != CONSTANT(RULE_KEY1))
		return NULL;
	if (CHOSEN_SELDOM(usual->length, TRACE))
		trace.rule = config.nat4_only.rule;
	return &config.nat4_only.target;
}

/*
 * The target of the first rule that matches, and in usual->of_rule what counts for it; NULL: none does. With one shape the
 * number of the shape, which keys in the tables have, is 0. A place may be NO_SLOT: nothing is found there.
 */
static __always_inline const volatile struct nat4_target *usual_rule(const void *frame,
								     struct usual *usual, bool udp)
{
	const __u64 protocol = udp ? NAT_PROTOCOL_UDP : NAT_PROTOCOL_TCP;
	const struct nat4_key key = {
		{frame_u64(frame + USUAL_IP + 12),
		 frame_u32(frame + USUAL_TRANSPORT) | usual->vni | protocol << NAT_PROTOCOL_SHIFT}};
	const struct nat4_key masked = {
		{key.word[0] & CONSTANT(SHAPE_MASK0), key.word[1] & CONSTANT(SHAPE_MASK1)}};
	const volatile struct nat4_target *target;
	__u32 place;

	if (CHOSEN_BY(usual->length, ONE_RULE))
		return usual_one_rule(usual, &masked);
	if (CHOSEN_BY(usual->length, ONE_SHAPE))
		place = usual_look_up(usual, &masked);
	else
		place = nat4_find(key.word[0], key.word[1]);
	usual->of_rule = rule_hits_of(CONSTANT(FIRST_COUNTER) + place, CONSTANT(COUNTERS_PER_CPU));
	if (!usual->of_rule)
		return NULL;
	target = CHOSEN_BY(usual->length, FOLD_LOWER) ? usual_folded(usual, &masked)
						      : usual_in_slot(usual, &masked, place);
	if (CHOSEN_SELDOM(usual->length, TRACE) && target)
		trace.rule = usual_number(place);
	return target;
}

#endif
