// SPDX-License-Identifier: GPL-2.0-only
#include "scenario.h"

#include <string.h>

#define FREE_PORT 4789

static void draw_pools(struct scenario *scenario, struct random *random)
{
	/* addresses that the kernel treats in special ways; one of the pool may be such a one */
	static const uint8_t special4[][4] = {
		{127, 0, 0, 1}, {224, 0, 0, 5},   {255, 255, 255, 255},
		{0, 0, 0, 0},   {169, 254, 1, 1},
	};
	static const uint8_t special6[][2] = {{0xff, 0x02}, {0xfe, 0x80}, {0, 0}};

	for (size_t i = 0; i < SCENARIO_POOL; i++) {
		uint8_t *v4 = scenario->addresses4[i], *v6 = scenario->addresses6[i];

		v4[0] = 10;
		v4[1] = (uint8_t)random_below(random, 3);
		v4[2] = (uint8_t)random_below(random, 3);
		v4[3] = (uint8_t)random_below(random, 256);
		if (random_chance(random, 25)) {
			random_fill(random, v4, 4);
			v4[0] = (uint8_t)random_from(random, 1, 120);
		}
		memset(v6, 0, 16);
		memcpy(v6, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
		random_fill(random, v6 + 4, 1);
		random_fill(random, v6 + 14, 2);
		scenario->ports[i] = (uint16_t)random_from(random, 1, 65535);
		scenario->pool_vnis[i] =
			random_below(random, random_chance(random, 60) ? 6 : 1 << 24);
	}
	if (random_chance(random, 25))
		memcpy(scenario->addresses4[0], RANDOM_PICK(random, special4), 4);
	if (random_chance(random, 25))
		memcpy(scenario->addresses6[0], RANDOM_PICK(random, special6), 2);
}

static void draw_network(struct network *network, const uint8_t *address, uint8_t version,
			 struct random *random)
{
	uint8_t bits = version == 4 ? 32 : 128;

	*network = (struct network){.version = version, .length = bits};
	memcpy(network->address, address, bits / 8);
	if (random_chance(random, 50))
		network->length = (uint8_t)random_from(random, 0, bits);
	for (unsigned int i = network->length; i < bits; i++)
		network->address[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static const uint8_t *draw_address(const struct scenario *scenario, uint8_t version,
				   struct random *random)
{
	uint32_t i = random_below(random, SCENARIO_POOL);

	return version == 4 ? scenario->addresses4[i] : scenario->addresses6[i];
}

/* A configuration must not list a VNI twice. */
static void drop_repeated_vnis(struct scenario *scenario)
{
	size_t kept = 0;

	for (size_t i = 0; i < scenario->vni_count; i++) {
		size_t before = 0;

		while (before < kept && scenario->vnis[before] != scenario->vnis[i])
			before++;
		if (before == kept)
			scenario->vnis[kept++] = scenario->vnis[i];
	}
	scenario->vni_count = kept;
}

static void draw_listen(struct scenario *scenario, struct random *random)
{
	scenario->port = FREE_PORT;
	if (random_chance(random, 30))
		scenario->port = (uint16_t)random_from(random, 1, 65535);
	scenario->any_vni = random_chance(random, 20);
	scenario->vni_count = 1;
	scenario->vnis[0] = random_chance(random, 50) ? 1 : scenario->pool_vnis[0];
	if (random_chance(random, 50)) { /* several: from the pool, in a row, or at random */
		uint32_t kind = random_below(random, 3);

		scenario->vni_count = kind == 0 ? 4 : random_from(random, 2, SCENARIO_VNIS);
		for (size_t i = 0; i < scenario->vni_count; i++) {
			scenario->vnis[i] = kind == 0   ? scenario->pool_vnis[i]
					    : kind == 1 ? (uint32_t)i
							: random_below(random, 1 << 24);
		}
		for (size_t i = 0; kind == 2 && i < SCENARIO_POOL && i < scenario->vni_count;
		     i += 2)
			scenario->vnis[i] = scenario->pool_vnis[i];
	}
	drop_repeated_vnis(scenario);
	if (random_chance(random, 40))
		scenario->source_count = random_from(random, 1, SCENARIO_SOURCES);
	for (size_t i = 0; i < scenario->source_count; i++) {
		uint8_t version = random_chance(random, 70) ? 4 : 6;

		draw_network(&scenario->sources[i], draw_address(scenario, version, random),
			     version, random);
	}
	scenario->generic = random_chance(random, 15);
}

static void draw_forward(struct scenario *scenario, struct random *random)
{
	static const uint32_t mtus[] = {0, 1500, 1500, 576, 1280, 68, 9000, 65535};

	scenario->single_arm = random_chance(random, 25);
	scenario->next_hop = (enum scenario_next_hop)random_below(random, 3);
	random_fill(random, scenario->next_hop_mac, 6);
	scenario->next_hop_mac[0] = 2;
	scenario->known_hops = random_chance(random, 70);
	scenario->mtu = RANDOM_PICK(random, mtus);
	if (random_chance(random, 50))
		scenario->mtu = random_from(random, 68, random_chance(random, 50) ? 300 : 3400);
	scenario->oversize = (enum scenario_oversize)random_below(random, 3);
	if (random_chance(random, 40))
		scenario->oversize = CUT_OVERSIZE;
	scenario->unmatched = (enum scenario_fallback)random_below(random, 3);
}

static void draw_inner(struct scenario *scenario, struct random *random)
{
	scenario->clear_df_above = random_below(random, 2000);
	if (random_chance(random, 30))
		scenario->clear_df_above = 1400;
	else if (random_chance(random, 30))
		scenario->clear_df_above = random_chance(random, 50) ? 0 : NEVER;
	scenario->udp_checksum = (enum scenario_checksum)random_below(random, 3);
	scenario->truncated = (enum scenario_fallback)random_below(random, 3);
}

static void draw_rule(struct scenario *scenario, struct scenario_rule *rule, struct random *random)
{
	uint8_t version = random_chance(random, 65) ? 4 : 6;
	uint32_t keys = random_from(random, 1, 63);

	*rule = (struct scenario_rule){.source_port = -1, .destination_port = -1, .vni = -1};
	if (keys & 1)
		draw_network(&rule->source, draw_address(scenario, version, random), version,
			     random);
	if (keys & 2)
		draw_network(&rule->destination, draw_address(scenario, version, random), version,
			     random);
	if (keys & 4)
		rule->source_port = RANDOM_PICK(random, scenario->ports);
	if (keys & 8)
		rule->destination_port = RANDOM_PICK(random, scenario->ports);
	if (keys & 16)
		rule->protocol = random_chance(random, 60) ? 17 : 6;
	if (keys & 32)
		rule->vni = random_chance(random, 50)
				    ? RANDOM_PICK(random, scenario->pool_vnis)
				    : scenario->vnis[random_below(random,
								  (uint32_t)scenario->vni_count)];
	rule->to_version = version;
	memcpy(rule->to, draw_address(scenario, version, random), version == 4 ? 4 : 16);
	if (random_chance(random, 50)) {
		random_fill(random, rule->to + (version == 4 ? 1 : 4), version == 4 ? 3 : 12);
		rule->to[0] = version == 4 ? 10 : 0x20;
	}
	if (random_chance(random, 70))
		rule->to_port = (uint16_t)random_from(random, 1, 65535);
	if (random_chance(random, 30))
		rule->name = (uint32_t)(rule - scenario->rules) + 1;
}

/* Has the rule match on what the first one matches on, ports and the like with values of their own. */
static void draw_alike(const struct scenario *scenario, struct scenario_rule *rule,
		       struct random *random)
{
	const struct scenario_rule *first = &scenario->rules[0];

	rule->source = first->source;
	rule->destination = first->destination;
	rule->source_port = rule->destination_port = rule->vni = -1;
	if (first->source_port >= 0)
		rule->source_port = RANDOM_PICK(random, scenario->ports);
	if (first->destination_port >= 0)
		rule->destination_port = RANDOM_PICK(random, scenario->ports);
	if (first->vni >= 0)
		rule->vni = RANDOM_PICK(random, scenario->pool_vnis);
	rule->protocol = first->protocol ? random_chance(random, 60) ? 17 : 6 : 0;
	if (rule->to_version != first->to_version) {
		rule->to_version = first->to_version;
		memcpy(rule->to, first->to, sizeof(rule->to));
	}
}

static void draw_rules(struct scenario *scenario, struct random *random)
{
	static const uint32_t counts[] = {0, 1, 1, 2, 3, 5, 8, 20, 40};

	scenario->rule_count = RANDOM_PICK(random, counts);
	for (size_t i = 0; i < scenario->rule_count; i++)
		draw_rule(scenario, &scenario->rules[i], random);
	if (random_chance(random, 40)) {
		for (size_t i = 1; i < scenario->rule_count; i++)
			draw_alike(scenario, &scenario->rules[i], random);
	}
	if (!random_chance(random, 8) || !scenario->rule_count)
		return;
	/* adds many rules of one shape behind the others */
	for (size_t i = scenario->rule_count; i < SCENARIO_RULES; i++) {
		struct scenario_rule *rule = &scenario->rules[i];

		draw_rule(scenario, rule, random);
		rule->source = rule->destination = (struct network){0};
		rule->protocol = 17;
		rule->source_port = (int)i + 1;
		rule->destination_port = -1;
		rule->vni = -1;
	}
	scenario->rule_count = random_from(random, 100, SCENARIO_RULES);
	for (size_t i = 0; i < SCENARIO_POOL; i++)
		scenario->ports[i] = (uint16_t)random_from(random, 1, SCENARIO_RULES);
}

void scenario_draw(struct scenario *scenario, uint64_t seed)
{
	struct random random = {seed};

	*scenario = (struct scenario){0};
	draw_pools(scenario, &random);
	draw_listen(scenario, &random);
	draw_forward(scenario, &random);
	draw_inner(scenario, &random);
	draw_rules(scenario, &random);
	scenario->multi_buffer = random_chance(&random, 10);
	if (scenario->multi_buffer && scenario->mtu && random_chance(&random, 40))
		scenario->mtu = random_from(&random, 3000, 9100);
	scenario->rings_each = random_chance(&random, 30);
}

void scenario_drop_rule(struct scenario *scenario, size_t index)
{
	memmove(&scenario->rules[index], &scenario->rules[index + 1],
		(--scenario->rule_count - index) * sizeof(scenario->rules[0]));
}

void scenario_drop_source(struct scenario *scenario, size_t index)
{
	memmove(&scenario->sources[index], &scenario->sources[index + 1],
		(--scenario->source_count - index) * sizeof(scenario->sources[0]));
}
