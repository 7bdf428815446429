// SPDX-License-Identifier: GPL-2.0-only
/* Inner packets: valid ones of every kind, most of which a rule applies to. */
#include "traffic.h"

#include <string.h>

/* What the headers around a payload take at the most, with some room for them to be more. */
#define HEADERS 320

/* The values of a packet, before they are written as bytes. */
struct plan {
	uint8_t version;
	uint8_t protocol;
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	uint32_t vni;
	const struct scenario_rule *rule; /* the rule that it should match, or NULL */
	size_t payload;
};

/* An address within a network, or one of the pool. */
static void draw_address(struct traffic *traffic, const struct network *network, uint8_t version,
			 uint8_t *address)
{
	const struct scenario *scenario = traffic->scenario;
	uint32_t i = random_below(&traffic->random, SCENARIO_POOL);

	if (version == 4)
		memcpy(address, scenario->addresses4[i], 4);
	else
		memcpy(address, scenario->addresses6[i], 16);
	if (network->version != version)
		return;
	for (unsigned int bit = 0; bit < network->length; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		address[bit / 8] =
			(uint8_t)((address[bit / 8] & ~mask) | (network->address[bit / 8] & mask));
	}
	if (random_chance(&traffic->random, 3)) /* may be just outside */
		address[random_below(&traffic->random, version == 4 ? 4 : 16)] ^=
			(uint8_t)(1 << random_below(&traffic->random, 8));
}

static size_t draw_payload_length(struct traffic *traffic)
{
	const struct scenario *scenario = traffic->scenario;
	struct random *random = &traffic->random;
	uint32_t mtu = scenario->mtu ? scenario->mtu : 1500;
	uint32_t longest = (uint32_t)traffic_longest(traffic) - HEADERS, around = 0;

	switch (random_below(random, 10)) {
	case 0:
		around = mtu;
		break;
	case 1:
		around = scenario->clear_df_above;
		break;
	case 2: /* about as much as fits a few fragments */
		around = (mtu - 20) / 8 * 8 * random_from(random, 1, 9);
		break;
	case 3:
		return random_below(random, longest);
	default:
		return random_below(random, 120);
	}
	around = around > longest ? longest : around;
	around += random_below(random, 24);
	return around > 60 ? around - random_below(random, 60) : around;
}

static void draw_plan(struct traffic *traffic, struct plan *plan)
{
	static const uint8_t protocols[] = {17, 17, 17, 17, 6, 6, 1, 58, 50, 0};
	const struct scenario *scenario = traffic->scenario;
	const struct network anywhere = {0};
	struct random *random = &traffic->random;
	const struct scenario_rule *rule = NULL;

	if (scenario->rule_count && random_chance(random, 75))
		rule = &scenario->rules[random_below(random, (uint32_t)scenario->rule_count)];
	plan->rule = rule;
	plan->version = random_chance(random, 65) ? 4 : 6;
	if (rule && random_chance(random, 95))
		plan->version = rule->to_version;
	plan->protocol = RANDOM_PICK(random, protocols);
	if (rule && random_chance(random, 90))
		plan->protocol = rule->protocol              ? rule->protocol
				 : random_chance(random, 60) ? 17
							     : 6;
	draw_address(traffic, rule ? &rule->source : &anywhere, plan->version, plan->source);
	draw_address(traffic, rule ? &rule->destination : &anywhere, plan->version,
		     plan->destination);
	plan->source_port = RANDOM_PICK(random, scenario->ports);
	if (rule && rule->source_port >= 0 && random_chance(random, 95))
		plan->source_port = (uint16_t)rule->source_port;
	plan->destination_port = RANDOM_PICK(random, scenario->ports);
	if (rule && rule->destination_port >= 0 && random_chance(random, 95))
		plan->destination_port = (uint16_t)rule->destination_port;
	plan->vni = RANDOM_PICK(random, scenario->pool_vnis);
	if (!scenario->any_vni && random_chance(random, 90))
		plan->vni = scenario->vnis[random_below(random, (uint32_t)scenario->vni_count)];
	if (rule && rule->vni >= 0 && random_chance(random, 95))
		plan->vni = (uint32_t)rule->vni;
	if (random_chance(random, 3)) /* next to one that is listed */
		plan->vni = (plan->vni + (random_chance(random, 50) ? 1 : -1)) & 0xffffff;
	plan->payload = draw_payload_length(traffic);
}

/* The checksum that the rule's rewriting turns into zero. */
static uint16_t checksum_that_becomes_zero(const struct plan *plan)
{
	size_t size = plan->version == 4 ? 4 : 16;
	uint32_t sum = sum16(plan->rule->to, size, 0);

	for (size_t i = 0; i < size; i += 2)
		sum += (uint16_t)~get16(plan->destination + i);
	if (plan->rule->to_port)
		sum += (uint16_t)~plan->destination_port + plan->rule->to_port;
	return fold16(sum);
}

static void put_upper_checksum(struct random *random, const struct plan *plan, uint8_t *upper,
			       size_t length)
{
	uint8_t *field = upper + (plan->protocol == 17 ? 6 : 16);
	size_t size = plan->version == 4 ? 4 : 16;
	uint32_t sum = plan->protocol + (uint32_t)length;
	uint16_t value;

	put16(field, 0);
	sum = sum16(plan->source, size, sum);
	sum = sum16(plan->destination, size, sum);
	value = (uint16_t)~fold16(sum16(upper, length, sum));
	if (plan->protocol == 17 && !value)
		value = 0xffff;
	if (plan->rule && random_chance(random, 4))
		value = checksum_that_becomes_zero(plan);
	else if (random_chance(random, 10))
		value = random_chance(random, 60) ? 0 : 0xffff;
	put16(field, value);
}

/* Writes the upper header and the payload; returns the length of both. */
static size_t put_upper(struct random *random, const struct plan *plan, uint8_t *upper, size_t room)
{
	size_t header = plan->protocol == 17 ? 8 : plan->protocol == 6 ? 20 : 0;
	size_t length = header + plan->payload;

	if (length > room)
		length = room;
	random_fill(random, upper, length < 160 ? length : 160);
	if (length > 160)
		memset(upper + 160, (int)random_below(random, 256), length - 160);
	if (!header)
		return length;
	put16(upper, plan->source_port);
	put16(upper + 2, plan->destination_port);
	if (plan->protocol == 17)
		put16(upper + 4, length);
	else
		upper[12] = 0x50;
	put_upper_checksum(random, plan, upper, length);
	return length;
}

static uint8_t draw_ttl(struct random *random)
{
	static const uint8_t values[] = {0, 1, 2, 255};

	return random_chance(random, 85) ? 64 : RANDOM_PICK(random, values);
}

static void put_ipv4(struct random *random, const struct plan *plan, size_t room,
		     struct inner_packet *packet)
{
	uint8_t *ip = packet->bytes;
	size_t header = 20;

	memset(ip, 0, 20);
	if (random_chance(random, 12))
		header += 4 * random_from(random, 1, 10);
	memset(ip + 20, 1, header - 20); /* no operation */
	ip[0] = (uint8_t)(0x40 | header / 4);
	ip[1] = random_chance(random, 10) ? (uint8_t)random_next(random) : 0;
	if (random_chance(random, 60))
		put16(ip + 4, random_chance(random, 50) ? random_below(random, 4)
							: random_below(random, 65536));
	if (random_chance(random, 40))
		put16(ip + 6, 0x4000);
	ip[8] = draw_ttl(random);
	ip[9] = plan->protocol;
	memcpy(ip + 12, plan->source, 4);
	memcpy(ip + 16, plan->destination, 4);
	packet->upper = header;
	packet->length = header + put_upper(random, plan, ip + header, room);
	put16(ip + 2, packet->length);
	put16(ip + 10, (uint16_t)~fold16(sum16(ip, header, 0)));
}

/* Writes an extension header but for its first byte, which the caller does; returns its length. */
static size_t put_extension(struct random *random, uint8_t kind, uint8_t *at)
{
	size_t units = kind == 44 || random_chance(random, 70) ? 0 : random_below(random, 6);

	memset(at, 0, 8 + 8 * units);
	at[1] = (uint8_t)units;
	if (kind == 44) { /* a fragment header, mostly of a whole packet */
		random_fill(random, at + 6, 2);
		if (random_chance(random, 20))
			put16(at + 2, random_below(random, 4) * 8 | random_below(random, 2));
	} else if (kind == 43) {
		at[2] = 4;
		at[3] = random_chance(random, 40) ? (uint8_t)random_below(random, 3) : 0;
	}
	return 8 + 8 * units;
}

static void put_ipv6(struct random *random, const struct plan *plan, size_t room,
		     struct inner_packet *packet)
{
	static const uint8_t kinds[] = {0, 43, 60, 44, 60, 0};
	uint32_t count = random_chance(random, 25) ? random_from(random, 1, 8) : 0;
	uint8_t *ip = packet->bytes, *next = ip + 6;
	size_t length = 40;

	memset(ip, 0, 40);
	ip[0] = 0x60;
	random_fill(random, ip + 1, 3);
	ip[7] = draw_ttl(random);
	memcpy(ip + 8, plan->source, 16);
	memcpy(ip + 24, plan->destination, 16);
	if (count > 2 && random_chance(random, 70))
		count = 1 + count % 2;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t kind = RANDOM_PICK(random, kinds);

		*next = kind;
		next = ip + length;
		length += put_extension(random, kind, next);
	}
	*next = plan->protocol;
	packet->upper = length;
	packet->length = length + put_upper(random, plan, ip + length, room - length);
	put16(ip + 4, packet->length - 40);
}

void traffic_draw_packet(struct traffic *traffic, struct inner_packet *packet)
{
	size_t room = traffic_longest(traffic) - HEADERS + 100;
	struct plan plan;

	draw_plan(traffic, &plan);
	packet->version = plan.version;
	packet->vni = plan.vni;
	if (plan.version == 4)
		put_ipv4(&traffic->random, &plan, room, packet);
	else
		put_ipv6(&traffic->random, &plan, room, packet);
}
