// SPDX-License-Identifier: GPL-2.0-only
/* Rule tables: a reader of the tables finds the first rule, in file order, that matches. */
#include <arpa/inet.h>
#include <errno.h>

#include "rules/rule_tables.h"
#include "tests/unit/rules/rule_sets.h"
#include "tests/unit/unit.h"

#define SETS             150
#define PACKETS_PER_RULE 8

/* The rule that the tables give for a packet, and its target. Rule 0: none. */
struct answer {
	uint32_t rule;
	uint8_t address[16];
	uint16_t port; /* as in a packet */
	uint16_t next_hop;
};

/* The slot that the datapath reads for a key: like table_find() in bpf/lookup.h, without maps. */
static const void *read_slot(const struct perfect_hash_table *table, const uint64_t *key,
			     size_t words)
{
	uint64_t hash = table->geometry.seed, displacement = 0;
	struct table_place place;
	uint32_t slot;

	for (size_t w = 0; w < words; w++)
		hash = table_mix(hash, key[w]);
	place = table_place(table->geometry.bucket_mask, hash);
	if (table->geometry.bucket_mask)
		displacement =
			table->displacements[place.bucket / TABLE_DISPLACEMENTS_PER_WORD] >>
			place.bucket % TABLE_DISPLACEMENTS_PER_WORD * TABLE_DISPLACEMENT_BITS;
	slot = table_slot(table->geometry.slots, place, (uint16_t)displacement);
	assert_true(slot < table->slot_count);
	return (const char *)table->slots + slot * table->slot_size;
}

static uint64_t last_word(const struct packet *packet)
{
	return htons(packet->source_port) | (uint64_t)htons(packet->destination_port) << 16 |
	       (uint64_t)packet->vni << 32 | (uint64_t)packet->protocol << 56;
}

/* Does the key differ from what all rules of a shape have in common? */
static bool differs(const uint64_t *key, const __u64 *common, const __u64 *value, size_t words)
{
	for (size_t w = 0; w < words; w++) {
		if ((key[w] ^ value[w]) & common[w])
			return true;
	}
	return false;
}

/* A single IPv4 rule is a constant of the datapath, which then reads no table. */
static struct answer ask_ipv4(const struct rule_tables *tables, const struct packet *packet)
{
	uint64_t key[2] = {0, last_word(packet)};
	struct answer answer = {0};

	memcpy(key, packet->source.bytes, 4);
	memcpy((uint8_t *)key + 4, packet->destination.bytes, 4);
	for (size_t i = 0; i < tables->ipv4_shape_count; i++) {
		const struct nat4_shape *shape = &tables->ipv4_shapes[i];
		const struct nat4_slot *slot = &tables->ipv4_only;
		uint64_t masked[2] = {key[0] & shape->mask.word[0],
				      (key[1] & shape->mask.word[1]) | (uint64_t)i << 58};

		if (answer.rule && shape->first_rule > answer.rule)
			break;
		if (differs(key, shape->common.word, shape->value.word, 2))
			continue;
		if (tables->ipv4_rules != 1)
			slot = read_slot(&tables->ipv4, masked, 2);
		if (!slot->rule || memcmp(slot->key.word, masked, sizeof(masked)) != 0 ||
		    (answer.rule && answer.rule < slot->rule))
			continue;
		answer = (struct answer){.rule = slot->rule,
					 .port = slot->target.port,
					 .next_hop = slot->target.next_hop};
		memcpy(answer.address, &slot->target.address, 4);
	}
	return answer;
}

static struct answer ask_ipv6(const struct rule_tables *tables, const struct packet *packet)
{
	uint64_t key[5] = {[4] = last_word(packet)};
	struct answer answer = {0};

	memcpy(key, packet->source.bytes, 16);
	memcpy(key + 2, packet->destination.bytes, 16);
	for (size_t i = 0; i < tables->ipv6_shape_count; i++) {
		const struct nat6_shape *shape = &tables->ipv6_shapes[i];
		const struct nat6_slot *slot;
		uint64_t masked[5];

		if (answer.rule && shape->first_rule > answer.rule)
			break;
		if (differs(key, shape->common.word, shape->value.word, 5))
			continue;
		for (size_t w = 0; w < 5; w++)
			masked[w] = key[w] & shape->mask.word[w];
		masked[4] |= (uint64_t)i << 58;
		slot = read_slot(&tables->ipv6, masked, 5);
		if (!slot->rule || memcmp(slot->key.word, masked, sizeof(masked)) != 0 ||
		    (answer.rule && answer.rule < slot->rule))
			continue;
		answer = (struct answer){.rule = slot->rule,
					 .port = slot->port,
					 .next_hop = slot->next_hop};
		memcpy(answer.address, slot->address, 16);
	}
	return answer;
}

/* Do the tables give the same rule and target as the linear search? */
static void assert_agrees(const struct rule_tables *tables, const struct rule_set *set,
			  const struct packet *packet)
{
	struct answer answer =
		packet->version == 4 ? ask_ipv4(tables, packet) : ask_ipv6(tables, packet);
	uint32_t expected = rule_set_match(set, packet);
	const struct nat_rule *rule;

	if (answer.rule != expected)
		fail_msg("of %zu rules (seed %u) the tables give rule %u, the list rule %u",
			 set->count, set->seed, answer.rule, expected);
	if (!expected)
		return;
	rule = &set->rules[expected - 1];
	assert_memory_equal(answer.address, rule->to.address.bytes, 16);
	assert_int_equal(ntohs(answer.port), rule->to.port);
	assert_true(answer.next_hop < tables->target_count);
	assert_memory_equal(&tables->targets[answer.next_hop], &rule->to.address,
			    sizeof(rule->to.address));
}

/* Collects the lowest rule of each shape from the slots. */
static void note_lowest(uint32_t lowest[PIPELINE_MAX_SHAPES], uint64_t last_word, uint32_t rule)
{
	uint64_t shape = last_word >> 58;

	if (rule && (!lowest[shape] || rule < lowest[shape]))
		lowest[shape] = rule;
}

/* The datapath relies on ascending first_rule: it stops at the first shape that cannot win. */
static void assert_shapes_in_order(const struct rule_tables *tables)
{
	const struct nat4_slot *ipv4 = tables->ipv4.slots;
	const struct nat6_slot *ipv6 = tables->ipv6.slots;
	uint32_t lowest4[PIPELINE_MAX_SHAPES] = {0}, lowest6[PIPELINE_MAX_SHAPES] = {0};

	for (size_t i = 0; i < tables->ipv4.slot_count; i++)
		note_lowest(lowest4, ipv4[i].key.word[1], ipv4[i].rule);
	for (size_t i = 0; i < tables->ipv6.slot_count; i++)
		note_lowest(lowest6, ipv6[i].key.word[4], ipv6[i].rule);
	for (size_t i = 0; i < tables->ipv4_shape_count; i++) {
		assert_int_equal(tables->ipv4_shapes[i].first_rule, lowest4[i]);
		assert_true(i == 0 || lowest4[i - 1] < lowest4[i]);
	}
	for (size_t i = 0; i < tables->ipv6_shape_count; i++) {
		assert_int_equal(tables->ipv6_shapes[i].first_rule, lowest6[i]);
		assert_true(i == 0 || lowest6[i - 1] < lowest6[i]);
	}
}

/* Are the bits that a shape's rules have in common those in which none of them differs, and no fewer? */
static void assert_common(const uint64_t *mask, const __u64 *common, const __u64 *value,
			  const uint64_t *all_ones, const uint64_t *all_zeros, size_t words)
{
	for (size_t w = 0; w < words; w++) {
		assert_int_equal(common[w], mask[w] & (all_ones[w] | all_zeros[w]));
		assert_int_equal(value[w], all_ones[w] & common[w]);
	}
}

/* Each slot has a counter, and there are no others, but that no two CPUs count in one line of a cache. */
static void assert_counters(const struct rule_tables *tables)
{
	const struct nat4_slot *slots = tables->ipv4.slots;

	assert_int_equal(tables->ipv4_counters,
			 tables->ipv6_shape_count ? tables->ipv6.slot_count : 0);
	assert_true(tables->counter_count >= tables->ipv4_counters + tables->ipv4.slot_count);
	assert_true(tables->counter_count < tables->ipv4_counters + tables->ipv4.slot_count + 16);
	assert_int_equal(tables->counter_count * sizeof(struct rule_counter) % 128, 0);
	for (size_t i = 0; i < tables->ipv4.slot_count; i++)
		assert_int_equal(slots[i].counter, tables->ipv4_counters + i);
}

/* Folding is linear: if each bit of the mask has a place of its own, and one is free, no two keys give the same word. */
static void assert_fold_separates(const struct rule_tables *tables)
{
	const struct nat4_key *mask = &tables->ipv4_shapes[0].mask;
	int bits = __builtin_popcountll(mask->word[0]) + __builtin_popcountll(mask->word[1]);

	assert_int_equal(tables->ipv4_shape_count, 1);
	assert_true(bits < 64);
	assert_int_equal(__builtin_popcountll(
				 nat4_fold(mask, tables->ipv4_lower, tables->ipv4_upper)),
			 bits);
}

/* The targets of folded keys: each is listed once. */
static void assert_ipv4_targets(const struct rule_tables *tables)
{
	for (size_t i = 1; i < tables->ipv4_target_count; i++)
		assert_true(memcmp(&tables->ipv4_targets[i - 1], &tables->ipv4_targets[i],
				   sizeof(*tables->ipv4_targets)) < 0);
	if (tables->ipv4_target_count == 1)
		assert_memory_equal(&tables->ipv4_only.target, &tables->ipv4_targets[0],
				    sizeof(tables->ipv4_only.target));
}

/* Folded keys are those of the slots, and lead to the same targets. */
static void assert_folded(const struct rule_tables *tables)
{
	const struct nat4_slot *slots = tables->ipv4.slots;

	assert_ipv4_targets(tables);
	if (!tables->ipv4_lower) {
		assert_null(tables->ipv4_keys);
		assert_int_equal(tables->ipv4_target_count, 0);
		return;
	}
	assert_fold_separates(tables);
	for (size_t i = 0; i < tables->ipv4.slot_count; i++) {
		if (!slots[i].rule) {
			assert_int_equal(tables->ipv4_keys[i], NAT4_NO_KEY);
			continue;
		}
		assert_int_equal(tables->ipv4_keys[i],
				 nat4_fold(&slots[i].key, tables->ipv4_lower, tables->ipv4_upper));
		assert_true(tables->ipv4_target_of[i] < tables->ipv4_target_count);
		assert_memory_equal(&tables->ipv4_targets[tables->ipv4_target_of[i]],
				    &slots[i].target, sizeof(slots[i].target));
	}
}

/* What the datapath skips a shape by. */
static void assert_ipv4_shapes(const struct rule_tables *tables)
{
	const struct nat4_slot *slots = tables->ipv4.slots;

	for (size_t shape = 0; shape < tables->ipv4_shape_count; shape++) {
		const struct nat4_shape *row = &tables->ipv4_shapes[shape];
		uint64_t ones[2] = {~0ULL, ~0ULL}, zeros[2] = {~0ULL, ~0ULL};

		for (size_t i = 0; i < tables->ipv4.slot_count; i++) {
			if (!slots[i].rule || slots[i].key.word[1] >> 58 != shape)
				continue;
			for (size_t w = 0; w < 2; w++) {
				ones[w] &= slots[i].key.word[w];
				zeros[w] &= ~slots[i].key.word[w];
			}
		}
		assert_common((const uint64_t *)row->mask.word, row->common.word, row->value.word,
			      ones, zeros, 2);
	}
}

/* Each target is listed once, so that the daemon resolves it once. */
static void assert_targets_differ(const struct rule_tables *tables)
{
	for (size_t i = 1; i < tables->target_count; i++)
		assert_true(memcmp(&tables->targets[i - 1], &tables->targets[i],
				   sizeof(*tables->targets)) < 0);
}

/* Looks up packets made for each rule, and random packets. */
static void check_set(struct rule_set *set)
{
	struct rule_tables tables;

	assert_int_equal(rule_tables_build(&tables, set->rules, set->count), 0);
	assert_shapes_in_order(&tables);
	assert_targets_differ(&tables);
	assert_ipv4_shapes(&tables);
	assert_counters(&tables);
	assert_folded(&tables);
	for (size_t i = 0; i < set->count * PACKETS_PER_RULE; i++) {
		struct packet packet = rule_set_packet(set, &set->rules[i / PACKETS_PER_RULE]);

		assert_agrees(&tables, set, &packet);
	}
	for (size_t i = 0; i < 100; i++) {
		struct packet packet = rule_set_packet(set, NULL);

		assert_agrees(&tables, set, &packet);
	}
	rule_tables_clear(&tables);
}

/* One rule for each combination of keys, in random order. */
static void every_combination_of_keys(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SETS; seed++) {
		struct rule_set set;

		rule_set_begin(&set, seed);
		for (unsigned int keys = 1; keys <= RULE_ALL_KEYS; keys++) {
			rule_set_add(&set, 4, keys, 24, 16);
			rule_set_add(&set, 6, keys, 56, 128);
		}
		rule_set_shuffle(&set);
		check_set(&set);
		rule_set_end(&set);
	}
}

/* Few combinations of keys, many rules of each; prefixes contain each other. */
static void many_rules_of_few_kinds(void **state)
{
	static const uint8_t lengths[2][4] = {{0, 8, 23, 32}, {0, 9, 64, 128}};

	(void)state;
	for (unsigned int seed = 1; seed <= SETS; seed++) {
		struct rule_set set;

		rule_set_begin(&set, seed);
		for (unsigned int kind = 0; kind < 12; kind++) {
			bool ipv6 = rule_set_random(&set, 2);
			unsigned int keys = 1 + rule_set_random(&set, RULE_ALL_KEYS);
			uint8_t source = lengths[ipv6][rule_set_random(&set, 4)];
			uint8_t destination = lengths[ipv6][rule_set_random(&set, 4)];

			for (unsigned int i = rule_set_random(&set, 20); i > 0; i--)
				rule_set_add(&set, ipv6 ? 6 : 4, keys, source, destination);
		}
		rule_set_shuffle(&set);
		check_set(&set);
		rule_set_end(&set);
	}
}

/* A single rule of each combination of keys. A single IPv4 rule is looked up without a table. */
static void one_rule(void **state)
{
	(void)state;
	for (unsigned int keys = 1; keys <= RULE_ALL_KEYS; keys++) {
		for (int version = 4; version <= 6; version += 2) {
			struct rule_set set;

			rule_set_begin(&set, keys);
			rule_set_add(&set, version, keys, 24, 16);
			check_set(&set);
			/* the only rule of its family, behind a rule of the other family */
			set.rules[set.count++] = set.rules[0];
			rule_set_make(&set, &set.rules[0], version == 4 ? 6 : 4, keys, 24, 16);
			check_set(&set);
			rule_set_end(&set);
		}
	}
}

static void no_rules(void **state)
{
	struct rule_set set;

	(void)state;
	rule_set_begin(&set, 1);
	check_set(&set);
	rule_set_end(&set);
}

/* Rules that differ in the source port only: looks up each, with the right and with another VNI. */
static void check_ports(struct nat_rule *rules, uint32_t count)
{
	struct rule_tables tables;

	for (uint32_t i = 0; i < count; i++) {
		rules[i].has_source_port = rules[i].has_vni = true;
		rules[i].source_port = (uint16_t)i;
		rules[i].vni = 7;
		rules[i].to.address = (struct ip_address){4, {10, (uint8_t)(i % 100)}};
		rules[i].to.port = (uint16_t)~i;
	}
	assert_int_equal(rule_tables_build(&tables, rules, count), 0);
	assert_int_equal(tables.target_count, 100);
	assert_folded(&tables);
	for (uint32_t i = 0; i < count; i++) {
		struct packet packet = {.version = 4, .vni = 7, .source_port = (uint16_t)i};
		struct answer answer = ask_ipv4(&tables, &packet);

		assert_int_equal(answer.rule, i + 1);
		assert_int_equal(ntohs(answer.port), (uint16_t)~i);
		assert_int_equal(tables.targets[answer.next_hop].bytes[1], i % 100);
		packet.vni = 6;
		assert_int_equal(ask_ipv4(&tables, &packet).rule, 0);
	}
	rule_tables_clear(&tables);
}

static void as_many_rules_as_fit(void **state)
{
	struct nat_rule *rules = calloc(PIPELINE_MAX_RULES, sizeof(*rules));

	(void)state;
	assert_non_null(rules);
	check_ports(rules,
		    500); /* fails in seconds if all keys are equal; the next would take hours */
	check_ports(rules, PIPELINE_MAX_RULES);
	free(rules);
}

/* What two rules match on. */
struct given {
	uint8_t source, destination; /* prefix lengths */
	bool source_port, destination_port, vni, protocol;
};

static void make_two(struct nat_rule rules[2], const struct given *given)
{
	for (size_t i = 0; i < 2; i++) {
		rules[i] = (struct nat_rule){
			.source = {.address.version = given->source ? 4 : 0,
				   .length = given->source},
			.destination = {.address.version = given->destination ? 4 : 0,
					.length = given->destination},
			.has_source_port = given->source_port,
			.has_destination_port = given->destination_port,
			.has_vni = given->vni,
			.source_port = i,
			.destination_port = i,
			.vni = i,
			.protocol = given->protocol ? NAT_PROTOCOL_UDP : NAT_PROTOCOL_ANY,
			.to = {.address.version = 4, .port = i},
		};
		rules[i].source.address.bytes[0] = 10 + i;
		rules[i].destination.address.bytes[0] = 10 + i;
	}
}

/* Keys are folded if rotations keep all bits apart and leave one free. */
static void folding(void **state)
{
	static const struct {
		const char *sentence;
		struct given given;
		const char *expected;
	} rows[] = {
		{"a port", {0, 0, true, false, false, false}, "folded"},
		{"an address", {32, 0, false, false, false, false}, "folded"},
		{"two addresses", {32, 31, false, false, false, false}, "folded"},
		{"no bit left", {32, 32, false, false, false, false}, "not"},
		{"source, port, protocol", {32, 0, true, false, false, true}, "folded"},
		{"destination, port, protocol", {0, 32, false, true, false, true}, "folded"},
		{"an address and the VNI", {32, 0, false, false, true, false}, "folded"},
		{"all but addresses", {0, 0, true, true, true, true}, "folded"},
		{"addresses and a port", {32, 32, true, false, false, false}, "not"},
		{"an address, ports, protocol", {32, 0, true, true, false, true}, "not"},
		{"a prefix and ports", {24, 0, true, true, false, false}, "folded"},
		{"all there is", {32, 32, true, true, true, true}, "not"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct nat_rule rules[2];
		struct rule_tables tables;

		make_two(rules, &rows[i].given);
		assert_int_equal(rule_tables_build(&tables, rules, 2), 0);
		assert_folded(&tables);
		failed += row_differs(rows[i].sentence, tables.ipv4_lower ? "folded" : "not",
				      rows[i].expected);
		rule_tables_clear(&tables);
	}
	assert_int_equal(failed, 0);
}

/* Rules of `count` different shapes: the prefix length grows, and every other rule has a port. */
static void make_shapes(struct nat_rule *rules, int version, size_t count)
{
	memset(rules, 0, count * sizeof(*rules));
	for (size_t i = 0; i < count; i++) {
		rules[i].source.address.version = (uint8_t)version;
		rules[i].source.length = (uint8_t)(i / 2);
		rules[i].has_source_port = i % 2;
		rules[i].to.address.version = (uint8_t)version;
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *sentence;
		size_t ipv4_shapes;
		size_t ipv6_shapes;
		bool twice; /* the last rule is added once more */
		int expected;
	} rows[] = {
		{"as many shapes as fit of both families", 64, 64, false, 0},
		{"one more of IPv4", 65, 0, false, -E2BIG},
		{"one more of IPv6", 0, 65, false, -E2BIG},
		{"two IPv4 rules that match the same", 2, 0, true, -EEXIST},
		{"two IPv6 rules that match the same", 1, 2, true, -EEXIST},
	};
	static const struct rule_tables empty;
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct nat_rule rules[2 * PIPELINE_MAX_SHAPES + 2];
		size_t count = rows[i].ipv4_shapes + rows[i].ipv6_shapes;
		struct rule_tables tables;
		char got[64], expected[64];

		make_shapes(rules, 4, rows[i].ipv4_shapes);
		make_shapes(rules + rows[i].ipv4_shapes, 6, rows[i].ipv6_shapes);
		if (rows[i].twice) {
			rules[count] = rules[count - 1];
			count++;
		}
		snprintf(got, sizeof(got), "%d", rule_tables_build(&tables, rules, count));
		snprintf(expected, sizeof(expected), "%d", rows[i].expected);
		failed += row_differs(rows[i].sentence, got, expected);
		if (rows[i].expected == 0)
			rule_tables_clear(&tables);
		assert_memory_equal(&tables, &empty, sizeof(empty));
	}
	assert_int_equal(failed, 0);
}

static bool vni_find(const struct perfect_hash_table *table, uint32_t vni, uint32_t *index)
{
	uint64_t key = vni;
	const struct vni_slot *slot = read_slot(table, &key, 1);

	*index = slot->index;
	return slot->vni == vni;
}

/* The index of a VNI is its place in the list; VNIs that are not listed are not found. */
static void vnis(void **state)
{
	static const size_t counts[] = {0, 1, 2, 7, 8, 100, PIPELINE_MAX_VNIS};
	struct perfect_hash_table table;
	uint32_t list[PIPELINE_MAX_VNIS], index;

	(void)state;
	for (size_t c = 0; c < COUNT_OF(counts); c++) {
		for (uint32_t i = 0; i < counts[c]; i++)
			list[i] = PIPELINE_VNI_MAX - i * 4095; /* the last of 4096 is 4590 */
		if (counts[c] > 1)
			list[1] = 0;
		assert_int_equal(vni_table_build(&table, list, counts[c]), 0);
		for (uint32_t i = 0; i < counts[c]; i++) {
			assert_true(vni_find(&table, list[i], &index));
			assert_int_equal(index, i);
			assert_false(vni_find(&table, list[i] ^ 0x800000, &index));
		}
		if (counts[c] < 2)
			assert_false(vni_find(&table, 0, &index));
		perfect_hash_clear(&table);
		assert_null(table.slots);
	}
	list[0] = list[1] = 5;
	assert_int_equal(vni_table_build(&table, list, 2), -EEXIST);
	perfect_hash_clear(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_of_keys),
		cmocka_unit_test(many_rules_of_few_kinds),
		cmocka_unit_test(one_rule),
		cmocka_unit_test(no_rules),
		cmocka_unit_test(as_many_rules_as_fit),
		cmocka_unit_test(folding),
		cmocka_unit_test(refusals),
		cmocka_unit_test(vnis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
