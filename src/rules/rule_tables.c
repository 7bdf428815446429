// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rule_tables.h"
#include "rules/perfect_hash.h"

#define IPV4_WORDS 2
#define IPV6_WORDS 5

/* A rule as a key and a mask, before its shape is known. */
struct rule_key {
	uint64_t key[IPV6_WORDS];
	uint64_t mask[IPV6_WORDS];
};

static void put_prefix(const struct ip_prefix *prefix, uint8_t *key, uint8_t *mask)
{
	size_t bytes = prefix->address.version == 4 ? 4 : 16;

	if (!prefix->address.version)
		return;
	memcpy(key, prefix->address.bytes, bytes);
	for (size_t i = 0; i < prefix->length; i++)
		mask[i / 8] |= 0x80 >> i % 8;
}

/* The first words are the addresses as in a packet; the last word holds everything else. */
static void rule_key_of(const struct nat_rule *rule, struct rule_key *out)
{
	size_t words = rule->to.address.version == 4 ? IPV4_WORDS : IPV6_WORDS;
	size_t bytes = rule->to.address.version == 4 ? 4 : 16;
	uint8_t *key = (uint8_t *)out->key, *mask = (uint8_t *)out->mask;

	memset(out, 0, sizeof(*out));
	put_prefix(&rule->source, key, mask);
	put_prefix(&rule->destination, key + bytes, mask + bytes);
	out->key[words - 1] = nat_key_word(htons(rule->source_port), htons(rule->destination_port),
					   rule->vni, rule->protocol);
	out->mask[words - 1] = nat_key_word(rule->has_source_port ? 0xffff : 0,
					    rule->has_destination_port ? 0xffff : 0,
					    rule->has_vni ? PIPELINE_VNI_MAX : 0,
					    rule->protocol == NAT_PROTOCOL_ANY ? 0 : 3);
	for (size_t i = 0; i < words; i++)
		out->key[i] &= out->mask[i];
}

/* One family's table while it is built. Shape i has the mask masks[i]. */
struct family {
	size_t words;
	size_t slot_size;
	uint64_t masks[PIPELINE_MAX_SHAPES][IPV6_WORDS];
	uint64_t common[PIPELINE_MAX_SHAPES]
		       [IPV6_WORDS]; /* bits that are the same in all its rules */
	uint64_t values[PIPELINE_MAX_SHAPES][IPV6_WORDS]; /* what they are */
	uint32_t first_rule[PIPELINE_MAX_SHAPES];
	size_t shapes;
	uint64_t *keys;  /* of `count` rules, `words` each */
	uint32_t *rules; /* their numbers, from 1 */
	size_t count;
};

/* Takes the bits out of what the shape's rules have in common in which another rule differs. */
static void rule_shape_narrow(struct family *family, size_t shape, const uint64_t *key)
{
	for (size_t i = 0; i < family->words; i++) {
		family->common[shape][i] &= ~(family->values[shape][i] ^ key[i]);
		family->values[shape][i] &= family->common[shape][i];
	}
}

/* Finds the rule's shape, or adds it; `number` is then its first rule. */
static int rule_shape_of(struct family *family, const struct rule_key *rule, uint32_t number,
			 size_t *shape)
{
	size_t size = family->words * sizeof(*rule->mask);

	for (size_t i = 0; i < family->shapes; i++) {
		if (memcmp(family->masks[i], rule->mask, size) == 0) {
			rule_shape_narrow(family, i, rule->key);
			*shape = i;
			return 0;
		}
	}
	if (family->shapes == PIPELINE_MAX_SHAPES)
		return -E2BIG;
	memcpy(family->masks[family->shapes], rule->mask, size);
	memcpy(family->common[family->shapes], rule->mask, size);
	memcpy(family->values[family->shapes], rule->key, size);
	family->first_rule[family->shapes] = number;
	*shape = family->shapes++;
	return 0;
}

static int family_collect(struct family *family, const struct nat_rule *rules, size_t count)
{
	family->keys = calloc(count + 1, family->words * sizeof(*family->keys));
	family->rules = calloc(count + 1, sizeof(*family->rules));
	if (!family->keys || !family->rules)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint64_t *key = family->keys + family->count * family->words;
		struct rule_key rule;
		size_t shape;

		if ((rules[i].to.address.version == 4) != (family->words == IPV4_WORDS))
			continue;
		rule_key_of(&rules[i], &rule);
		if (rule_shape_of(family, &rule, i + 1, &shape) < 0)
			return -E2BIG;
		memcpy(key, rule.key, family->words * sizeof(*key));
		key[family->words - 1] |= (uint64_t)shape << NAT_SHAPE_SHIFT;
		family->rules[family->count++] = i + 1;
	}
	return 0;
}

static void fill_ipv4_slot(struct nat4_slot *slot, const uint64_t *key, uint32_t number,
			   const struct nat_rule *rule, uint16_t next_hop)
{
	memcpy(slot->key.word, key, sizeof(slot->key.word));
	memcpy(&slot->target.address, rule->to.address.bytes, sizeof(slot->target.address));
	slot->target.port = htons(rule->to.port);
	slot->target.next_hop = next_hop;
	slot->rule = number;
}

static void fill_ipv6_slot(struct nat6_slot *slot, const uint64_t *key, uint32_t number,
			   const struct nat_rule *rule, uint16_t next_hop)
{
	memcpy(slot->key.word, key, sizeof(slot->key.word));
	memcpy(slot->address, rule->to.address.bytes, sizeof(slot->address));
	slot->port = htons(rule->to.port);
	slot->next_hop = next_hop;
	slot->rule = number;
}

static void fill_ipv4_shape(struct nat4_shape *shape, const struct family *family, size_t number)
{
	memcpy(shape->mask.word, family->masks[number], sizeof(shape->mask));
	memcpy(shape->common.word, family->common[number], sizeof(shape->common));
	memcpy(shape->value.word, family->values[number], sizeof(shape->value));
	shape->first_rule = family->first_rule[number];
	shape->next_rule = number + 1 < family->shapes ? family->first_rule[number + 1] : NO_RULE;
}

static void fill_ipv6_shape(struct nat6_shape *shape, const struct family *family, size_t number)
{
	memcpy(shape->mask.word, family->masks[number], sizeof(shape->mask));
	memcpy(shape->common.word, family->common[number], sizeof(shape->common));
	memcpy(shape->value.word, family->values[number], sizeof(shape->value));
	shape->first_rule = family->first_rule[number];
	shape->next_rule = number + 1 < family->shapes ? family->first_rule[number + 1] : NO_RULE;
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_address));
}

/* The different targets of all rules, sorted. */
static int targets_collect(struct rule_tables *tables, const struct nat_rule *rules, size_t count)
{
	size_t kept = 0;

	tables->targets = calloc(count + 1, sizeof(*tables->targets));
	if (!tables->targets)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		tables->targets[i] = rules[i].to.address;
	qsort(tables->targets, count, sizeof(*tables->targets), compare_addresses);
	for (size_t i = 0; i < count; i++) {
		if (!kept || compare_addresses(&tables->targets[kept - 1], &tables->targets[i]))
			tables->targets[kept++] = tables->targets[i];
	}
	tables->target_count = kept;
	return 0;
}

static uint16_t target_index(const struct rule_tables *tables, const struct nat_rule *rule)
{
	const struct ip_address *found =
		bsearch(&rule->to.address, tables->targets, tables->target_count,
			sizeof(*tables->targets), compare_addresses);

	return found - tables->targets;
}

static int family_build(struct family *family, const struct nat_rule *rules, size_t count,
			struct perfect_hash_table *table, const struct rule_tables *tables)
{
	struct perfect_hash_layout layout = {0};
	int err = family_collect(family, rules, count);

	if (!err)
		err = perfect_hash_build(&layout, family->keys, family->words, family->count);
	if (!err)
		err = perfect_hash_take(table, &layout, family->slot_size);
	for (size_t i = 0; !err && i < family->count; i++) {
		const struct nat_rule *rule = &rules[family->rules[i] - 1];
		const uint64_t *key = family->keys + i * family->words;
		uint16_t next_hop = target_index(tables, rule);

		if (family->words == IPV4_WORDS)
			fill_ipv4_slot((struct nat4_slot *)table->slots + layout.slot_of[i], key,
				       family->rules[i], rule, next_hop);
		else
			fill_ipv6_slot((struct nat6_slot *)table->slots + layout.slot_of[i], key,
				       family->rules[i], rule, next_hop);
	}
	perfect_hash_layout_clear(&layout);
	free(family->keys);
	free(family->rules);
	return err;
}

/* Keeps the slot of a single IPv4 rule, for the datapath's constants. */
static void keep_only(struct rule_tables *tables, size_t rules)
{
	const struct nat4_slot *slots = tables->ipv4.slots;

	tables->ipv4_rules = rules;
	for (size_t i = 0; rules == 1 && i < tables->ipv4.slot_count; i++) {
		if (slots[i].rule)
			tables->ipv4_only = slots[i];
	}
}

/* Where the rule is that has a shape for itself: a packet that agrees with it need not be looked up. */
static void find_only_slots(struct rule_tables *tables)
{
	const struct nat4_slot *slots = tables->ipv4.slots;
	size_t rules[PIPELINE_MAX_SHAPES] = {0};

	for (size_t i = 0; i < tables->ipv4.slot_count; i++) {
		size_t number = slots[i].key.word[1] >> NAT_SHAPE_SHIFT;

		if (!slots[i].rule)
			continue;
		tables->ipv4_shapes[number].only = rules[number]++ ? NO_SLOT : i;
	}
}

/* Rules count by their slots: first those of IPv6, if there are any, then those of IPv4. */
static void number_counters(struct rule_tables *tables, size_t ipv6_counters)
{
	const size_t count = ipv6_counters + tables->ipv4.slot_count;
	struct nat4_slot *slots = tables->ipv4.slots;

	for (size_t i = 0; i < tables->ipv4.slot_count; i++)
		slots[i].counter = ipv6_counters + i;
	tables->ipv4_counters = ipv6_counters;
	tables->counter_count = (count + COUNTERS_STEP - 1) / COUNTERS_STEP * COUNTERS_STEP;
}

/* Do keys that differ give words that differ, and none NAT4_NO_KEY? */
static bool folds_well(const uint64_t *mask, uint32_t lower, uint32_t upper)
{
	const struct nat4_key addresses = {{mask[0], 0}};
	const struct nat4_key ports = {{0, (uint32_t)mask[1]}};
	const struct nat4_key rest = {{0, mask[1] & ~(uint64_t)UINT32_MAX}};
	const uint64_t one = nat4_fold(&addresses, lower, upper);
	const uint64_t two = nat4_fold(&ports, lower, upper);
	const uint64_t three = nat4_fold(&rest, lower, upper);

	return !(one & two) && !(one & three) && !(two & three) &&
	       (one | two | three) != NAT4_NO_KEY;
}

/* Chooses how keys are folded, if they can be. */
static void choose_fold(struct rule_tables *tables, const uint64_t *mask)
{
	for (uint32_t upper = 0; upper < 64; upper++) {
		for (uint32_t lower = 1; lower < 64; lower++) {
			if (!folds_well(mask, lower, upper))
				continue;
			tables->ipv4_lower = lower;
			tables->ipv4_upper = upper;
			return;
		}
	}
}

static int compare_ipv4_targets(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nat4_target));
}

/* The different targets of the slots, sorted. */
static void collect_ipv4_targets(struct rule_tables *tables)
{
	const struct nat4_slot *slots = tables->ipv4.slots;
	struct nat4_target *targets = tables->ipv4_targets;
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < tables->ipv4.slot_count; i++) {
		if (slots[i].rule)
			targets[count++] = slots[i].target;
	}
	qsort(targets, count, sizeof(*targets), compare_ipv4_targets);
	for (size_t i = 0; i < count; i++) {
		if (!kept || compare_ipv4_targets(&targets[kept - 1], &targets[i]))
			targets[kept++] = targets[i];
	}
	tables->ipv4_target_count = kept;
}

/* What the datapath reads instead of slots, if keys can be folded. */
static int fold_keys(struct rule_tables *tables, const struct family *family)
{
	const struct nat4_slot *slots = tables->ipv4.slots;
	const size_t count = tables->ipv4.slot_count;

	if (family->shapes != 1 || family->count < 2)
		return 0;
	choose_fold(tables, family->masks[0]);
	if (!tables->ipv4_lower)
		return 0;
	tables->ipv4_keys = calloc(count, sizeof(*tables->ipv4_keys));
	tables->ipv4_target_of = calloc(count, sizeof(*tables->ipv4_target_of));
	tables->ipv4_targets = calloc(family->count, sizeof(*tables->ipv4_targets));
	if (!tables->ipv4_keys || !tables->ipv4_target_of || !tables->ipv4_targets)
		return -ENOMEM;
	collect_ipv4_targets(tables);
	if (tables->ipv4_target_count == 1)
		tables->ipv4_only.target = tables->ipv4_targets[0];
	for (size_t i = 0; i < count; i++) {
		const struct nat4_target *found;

		tables->ipv4_keys[i] = NAT4_NO_KEY;
		if (!slots[i].rule)
			continue;
		found = bsearch(&slots[i].target, tables->ipv4_targets, tables->ipv4_target_count,
				sizeof(*found), compare_ipv4_targets);
		tables->ipv4_keys[i] =
			nat4_fold(&slots[i].key, tables->ipv4_lower, tables->ipv4_upper);
		tables->ipv4_target_of[i] = found - tables->ipv4_targets;
	}
	return 0;
}

int rule_tables_build(struct rule_tables *tables, const struct nat_rule *rules, size_t count)
{
	struct family ipv4 = {.words = IPV4_WORDS, .slot_size = sizeof(struct nat4_slot)};
	struct family ipv6 = {.words = IPV6_WORDS, .slot_size = sizeof(struct nat6_slot)};
	int err;

	memset(tables, 0, sizeof(*tables));
	err = targets_collect(tables, rules, count);
	if (!err)
		err = family_build(&ipv4, rules, count, &tables->ipv4, tables);
	if (!err)
		err = family_build(&ipv6, rules, count, &tables->ipv6, tables);
	if (!err)
		err = fold_keys(tables, &ipv4);
	if (err) {
		rule_tables_clear(tables);
		return err;
	}
	number_counters(tables, ipv6.count ? tables->ipv6.slot_count : 0);
	keep_only(tables, ipv4.count);
	tables->ipv4_shape_count = ipv4.shapes;
	for (size_t i = 0; i < ipv4.shapes; i++)
		fill_ipv4_shape(&tables->ipv4_shapes[i], &ipv4, i);
	tables->ipv6_shape_count = ipv6.shapes;
	for (size_t i = 0; i < ipv6.shapes; i++)
		fill_ipv6_shape(&tables->ipv6_shapes[i], &ipv6, i);
	find_only_slots(tables);
	return 0;
}

void rule_tables_clear(struct rule_tables *tables)
{
	perfect_hash_clear(&tables->ipv4);
	perfect_hash_clear(&tables->ipv6);
	free(tables->ipv4_keys);
	free(tables->ipv4_target_of);
	free(tables->ipv4_targets);
	free(tables->targets);
	memset(tables, 0, sizeof(*tables));
}

int vni_table_build(struct perfect_hash_table *table, const uint32_t *vnis, size_t count)
{
	struct perfect_hash_layout layout = {0};
	uint64_t *keys = calloc(count + 1, sizeof(*keys));
	int err = keys ? 0 : -ENOMEM;

	memset(table, 0, sizeof(*table));
	for (size_t i = 0; !err && i < count; i++)
		keys[i] = vnis[i];
	if (!err)
		err = perfect_hash_build(&layout, keys, 1, count);
	if (!err)
		err = perfect_hash_take(table, &layout, sizeof(struct vni_slot));
	for (size_t i = 0; !err && i < table->slot_count; i++)
		((struct vni_slot *)table->slots)[i].vni = VNI_NONE;
	for (size_t i = 0; !err && i < count; i++) {
		struct vni_slot *slot = (struct vni_slot *)table->slots + layout.slot_of[i];

		slot->vni = vnis[i];
		slot->index = i;
	}
	perfect_hash_layout_clear(&layout);
	free(keys);
	return err;
}
