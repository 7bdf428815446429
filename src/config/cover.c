// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules that can never match, because an earlier rule matches all that they match.
 *
 * A rule is taken apart into what it asks of UDP and what it asks of TCP, so that a udp rule and a
 * tcp rule together cover one without a protocol. Parts that look at the same bits have one shape.
 * An earlier part covers a part that, reduced to the bits of the earlier part's shape, equals it.
 * So each rule costs one look into a hash table for each shape, of which there are few.
 *
 * Not found: rules that several others cover together by their addresses, ports or VNIs.
 */
#include <stdlib.h>
#include <string.h>

#include "config/draft.h"
#include "config/rule_name.h"

enum part { PART_UDP, PART_TCP, PARTS };

struct shape {
	uint8_t version;
	uint8_t source_length;
	uint8_t destination_length;
	bool vni;
	bool source_port;
	bool destination_port;
};

/* The values that a rule compares with; fields that it does not compare are zero. */
struct pattern {
	uint64_t source[2]; /* host order, high half first */
	uint64_t destination[2];
	uint32_t vni;
	uint16_t source_port;
	uint16_t destination_port;
};

struct entry {
	struct pattern pattern;
	uint16_t shape;
	bool has[PARTS];
};

struct cover {
	struct config_draft *draft;
	struct shape shapes[2 * PIPELINE_MAX_SHAPES];
	size_t shape_count;
	struct entry *entries; /* by rule */
	uint32_t *slots;       /* 0: free; else rule * PARTS + part + 1 */
	size_t slot_mask;
	bool vni_counts; /* false: every packet that reaches the rules has the one VNI listed */
};

static uint64_t word_of(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (int i = 0; i < 8; i++)
		word = word << 8 | bytes[i];
	return word;
}

static uint64_t cut_word(uint64_t word, int bits)
{
	if (bits <= 0)
		return 0;
	return bits >= 64 ? word : word & ~(UINT64_MAX >> bits);
}

static struct pattern pattern_cut(const struct pattern *pattern, const struct shape *shape)
{
	return (struct pattern){
		.source = {cut_word(pattern->source[0], shape->source_length),
			   cut_word(pattern->source[1], shape->source_length - 64)},
		.destination = {cut_word(pattern->destination[0], shape->destination_length),
				cut_word(pattern->destination[1], shape->destination_length - 64)},
		.vni = shape->vni ? pattern->vni : 0,
		.source_port = shape->source_port ? pattern->source_port : 0,
		.destination_port = shape->destination_port ? pattern->destination_port : 0,
	};
}

static bool pattern_equal(const struct pattern *a, const struct pattern *b)
{
	/* Bytes only: struct pattern has no padding. */
	return memcmp(a, b, sizeof(*a)) == 0;
}

static uint64_t pattern_hash(const struct pattern *pattern, size_t shape)
{
	uint64_t hash = table_mix(shape, pattern->source[0]);

	hash = table_mix(hash, pattern->source[1]);
	hash = table_mix(hash, pattern->destination[0]);
	hash = table_mix(hash, pattern->destination[1]);
	return table_mix(hash, (uint64_t)pattern->vni << 32 | (uint32_t)pattern->source_port << 16 |
				       pattern->destination_port);
}

/* Does a rule of shape `outer` compare no more than one of shape `inner`? */
static bool shape_is_wider(const struct shape *outer, const struct shape *inner)
{
	return outer->version == inner->version && outer->source_length <= inner->source_length &&
	       outer->destination_length <= inner->destination_length && outer->vni <= inner->vni &&
	       outer->source_port <= inner->source_port &&
	       outer->destination_port <= inner->destination_port;
}

static struct shape cover_shape_of(const struct nat_rule *rule, bool vni_counts)
{
	return (struct shape){
		.version = rule->to.address.version,
		.source_length = rule->source.length,
		.destination_length = rule->destination.length,
		.vni = rule->has_vni && vni_counts,
		.source_port = rule->has_source_port,
		.destination_port = rule->has_destination_port,
	};
}

static struct pattern pattern_of(const struct nat_rule *rule, const struct shape *shape)
{
	struct pattern whole = {
		.source = {word_of(rule->source.address.bytes),
			   word_of(rule->source.address.bytes + 8)},
		.destination = {word_of(rule->destination.address.bytes),
				word_of(rule->destination.address.bytes + 8)},
		.vni = rule->vni,
		.source_port = rule->source_port,
		.destination_port = rule->destination_port,
	};

	return pattern_cut(&whole, shape);
}

/* The slot of that part, or the free slot that it would take. */
static uint32_t *slot_find(struct cover *cover, const struct pattern *pattern, size_t shape,
			   enum part part)
{
	size_t at = (pattern_hash(pattern, shape) + part) & cover->slot_mask;

	for (; cover->slots[at]; at = (at + 1) & cover->slot_mask) {
		uint32_t found = cover->slots[at] - 1;
		const struct entry *entry = &cover->entries[found / PARTS];

		if (found % PARTS == part && entry->shape == shape &&
		    pattern_equal(&entry->pattern, pattern))
			break;
	}
	return &cover->slots[at];
}

/*
 * Finds for each part of the rule the first rule that covers it, as index + 1. False: some part is not
 * covered by any.
 */
static bool find_coverers(struct cover *cover, const struct entry *entry, const struct shape *shape,
			  uint32_t coverers[PARTS])
{
	for (size_t i = 0; i < cover->shape_count; i++) {
		struct pattern pattern;

		if (!shape_is_wider(&cover->shapes[i], shape))
			continue;
		pattern = pattern_cut(&entry->pattern, &cover->shapes[i]);
		for (enum part part = 0; part < PARTS; part++) {
			uint32_t found = *slot_find(cover, &pattern, i, part);

			found = found ? (found - 1) / PARTS + 1 : 0;
			if (found && (!coverers[part] || found < coverers[part]))
				coverers[part] = found;
		}
	}
	return (!entry->has[PART_UDP] || coverers[PART_UDP]) &&
	       (!entry->has[PART_TCP] || coverers[PART_TCP]);
}

static void complain_dead(struct cover *cover, size_t index, const uint32_t coverers[PARTS])
{
	const struct config_draft *draft = cover->draft;
	const struct nat_rule *rules = draft->config.rules;
	const struct entry *entry = &cover->entries[index];
	size_t one = coverers[entry->has[PART_UDP] ? PART_UDP : PART_TCP] - 1;
	size_t two = entry->has[PART_TCP] ? coverers[PART_TCP] - 1 : one;
	struct config_said said = config_rule_said(draft, index, "nat[].match");
	const char *why = "";
	char path[CONFIG_RULE_PATH_SIZE], name1[RULE_NAME_ADDED], name2[RULE_NAME_ADDED];

	rule_name_add(&rules[one], name1);
	rule_name_add(&rules[two], name2);
	config_rule_path(draft, index, "nat[].match", path);
	if ((rules[one].has_vni || rules[two].has_vni) && !rules[index].has_vni)
		why = ", as no other VNI is in listen.vnis";
	if (one == two)
		config_problem_add(draft->problems, &said, path,
				   "the rule can never match: rule %zu (line %u%s) comes first and "
				   "covers it%s",
				   one - draft->early_rules + 1, rules[one].place.line, name1, why);
	else
		config_problem_add(
			draft->problems, &said, path,
			"the rule can never match: rules %zu (udp, line %u%s) and %zu (tcp, "
			"line %u%s) come first and cover it%s",
			one - draft->early_rules + 1, rules[one].place.line, name1,
			two - draft->early_rules + 1, rules[two].place.line, name2, why);
}

/* The shape's index; shape_count when there is no room for another. */
static size_t shape_index(struct cover *cover, const struct shape *shape)
{
	size_t i = 0;

	while (i < cover->shape_count && memcmp(&cover->shapes[i], shape, sizeof(*shape)) != 0)
		i++;
	if (i == cover->shape_count && i < sizeof(cover->shapes) / sizeof(cover->shapes[0]))
		cover->shapes[cover->shape_count++] = *shape;
	return i;
}

static bool is_early(const struct cover *cover, uint32_t coverer)
{
	return coverer && coverer <= cover->draft->early_rules;
}

static void cover_rule(struct cover *cover, size_t index)
{
	const struct nat_rule *rule = &cover->draft->config.rules[index];
	struct shape shape = cover_shape_of(rule, cover->vni_counts);
	struct entry *entry = &cover->entries[index];
	uint32_t coverers[PARTS] = {0};

	entry->pattern = pattern_of(rule, &shape);
	entry->has[PART_UDP] = rule->protocol != NAT_PROTOCOL_TCP;
	entry->has[PART_TCP] = rule->protocol != NAT_PROTOCOL_UDP;
	if (find_coverers(cover, entry, &shape, coverers)) {
		cover->draft->notes[index].dropped =
			is_early(cover, coverers[PART_UDP]) || is_early(cover, coverers[PART_TCP]);
		if (!cover->draft->notes[index].dropped)
			complain_dead(cover, index, coverers);
		return;
	}
	entry->shape = (uint16_t)shape_index(cover, &shape);
	if (entry->shape == cover->shape_count)
		return; /* too many shapes: check_shapes() complains */
	for (enum part part = 0; part < PARTS; part++) {
		if (entry->has[part])
			*slot_find(cover, &entry->pattern, entry->shape, part) =
				(uint32_t)index * PARTS + part + 1;
	}
}

/* Has this family more shapes than the datapath takes? There the protocol is part of the shape. */
static void check_shapes(struct config_draft *draft, uint8_t version)
{
	struct shape seen[PIPELINE_MAX_SHAPES];
	bool protocol[PIPELINE_MAX_SHAPES];
	size_t count = 0;

	for (size_t i = 0; i < draft->config.rule_count; i++) {
		const struct nat_rule *rule = &draft->config.rules[i];
		struct shape shape = cover_shape_of(rule, true);
		struct config_said said;
		char path[CONFIG_RULE_PATH_SIZE];
		size_t at = 0;

		if (draft->notes[i].refused || shape.version != version)
			continue;
		while (at < count && (memcmp(&seen[at], &shape, sizeof(shape)) != 0 ||
				      protocol[at] != !!rule->protocol))
			at++;
		if (at == PIPELINE_MAX_SHAPES) {
			said = config_rule_said(draft, i, "nat[].match");
			config_rule_path(draft, i, "nat[].match", path);
			config_problem_add(draft->problems, &said, path,
					   "the IPv%u rules compare too many different things: at "
					   "most %u combinations of keys and prefix lengths",
					   version, PIPELINE_MAX_SHAPES);
			return;
		}
		if (at == count) {
			seen[count] = shape;
			protocol[count++] = rule->protocol;
		}
	}
}

static void drop_rules(struct config_draft *draft)
{
	struct config *config = &draft->config;
	size_t kept = 0;

	for (size_t i = 0; i < config->rule_count; i++) {
		if (draft->notes[i].dropped) {
			free(config->rules[i].name);
			continue;
		}
		config->rules[kept] = config->rules[i];
		draft->notes[kept++] = draft->notes[i];
	}
	config->rule_count = kept;
}

void config_check_cover(struct config_draft *draft)
{
	struct cover cover = {.draft = draft};
	size_t count = draft->config.rule_count, size = 4;

	check_shapes(draft, 4);
	check_shapes(draft, 6);
	while (size < 2 * PARTS * count)
		size *= 2;
	cover.slot_mask = size - 1;
	cover.vni_counts = draft->config.listen.any_vni || draft->config.listen.vni_count > 1 ||
			   config_problems_about(draft->problems, "listen.vnis");
	cover.entries = calloc(count + 1, sizeof(*cover.entries));
	cover.slots = calloc(size, sizeof(*cover.slots));
	draft->out_of_memory |= !cover.entries || !cover.slots;
	for (size_t i = 0; i < count && !draft->out_of_memory; i++) {
		if (!draft->notes[i].refused)
			cover_rule(&cover, i);
	}
	drop_rules(draft);
	free(cover.entries);
	free(cover.slots);
}
