// SPDX-License-Identifier: GPL-2.0-only
/* Encapsulates packets: inner Ethernet header, VXLAN, UDP, outer IP, VLAN tags, Ethernet. */
#include "traffic.h"

#include <string.h>

#define ETHERNET 14
#define TUNNEL   16 /* UDP and VXLAN header */

static size_t put_outer_ethernet(struct traffic *traffic, uint8_t *frame, uint8_t version)
{
	struct random *random = &traffic->random;
	uint32_t tags = random_chance(random, 15) ? random_from(random, 1, 3) : 0;
	size_t at = 12;

	memcpy(frame, (const uint8_t[]){2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1}, 12);
	if (tags == 3 && random_chance(random, 70))
		tags = 2;
	for (uint32_t i = 0; i < tags; i++, at += 4) {
		put16(frame + at, random_chance(random, 50) ? 0x8100 : 0x88a8);
		put16(frame + at + 2, random_below(random, 65536));
	}
	put16(frame + at, version == 4 ? 0x0800 : 0x86dd);
	return at + 2;
}

/* Draws a source from the scenario's list of allowed ones, if there is one, or from the pool. */
static void draw_source(struct traffic *traffic, uint8_t version, uint8_t *address)
{
	const struct scenario *scenario = traffic->scenario;
	uint32_t pick = random_below(&traffic->random, SCENARIO_POOL);
	const struct network *network;

	memcpy(address, version == 4 ? scenario->addresses4[pick] : scenario->addresses6[pick],
	       version == 4 ? 4 : 16);
	if (!scenario->source_count || random_chance(&traffic->random, 10))
		return;
	network = &scenario->sources[random_below(&traffic->random,
						  (uint32_t)scenario->source_count)];
	if (network->version == version)
		memcpy(address, network->address, version == 4 ? 4 : 16);
}

/* Writes an IPv6 header with its extension headers; returns the length of all. */
static size_t put_outer_extensions(struct random *random, uint8_t *ip)
{
	static const uint8_t kinds[] = {0, 60, 43, 44};
	uint8_t *next = ip + 6;
	size_t length = 40;

	ip[0] = 0x60;
	ip[7] = 64;
	for (uint32_t i = random_chance(random, 15) ? random_from(random, 1, 7) : 0; i; i--) {
		*next = RANDOM_PICK(random, kinds);
		next = ip + length;
		memset(next, 0, 8);
		if (random_chance(random, 10)) /* segments left, or a fragment's offset */
			next[3] = 8;
		length += 8;
	}
	*next = 17;
	return length;
}

static size_t put_outer_ip(struct traffic *traffic, uint8_t *ip, uint8_t version)
{
	struct random *random = &traffic->random;
	size_t length = version == 4 ? 20 : 40;

	memset(ip, 0, length);
	draw_source(traffic, version, ip + (version == 4 ? 12 : 8));
	memcpy(ip + (version == 4 ? 16 : 24), (const uint8_t[]){10, 0, 0, 2}, 4);
	if (version == 4) {
		if (random_chance(random, 5)) {
			length += 4 * random_from(random, 1, 10);
			memset(ip + 20, 1, length - 20);
		}
		ip[0] = (uint8_t)(0x40 | length / 4);
		ip[8] = 64;
		ip[9] = 17;
		if (random_chance(random, 3))
			put16(ip + 6,
			      random_chance(random, 50) ? 0x2000 : random_below(random, 65536));
		return length;
	}
	return put_outer_extensions(random, ip);
}

/* Writes right lengths and the outer IP header's checksum. */
static void put_outer_lengths(uint8_t *ip, uint8_t version, size_t header, size_t payload)
{
	put16(ip + header + 4, payload);
	if (version == 4) {
		put16(ip + 2, header + payload);
		put16(ip + 10, (uint16_t)~fold16(sum16(ip, header, 0)));
	} else {
		put16(ip + 4, header - 40 + payload);
	}
}

static size_t put_tunnel(struct traffic *traffic, uint8_t *udp, uint32_t vni)
{
	const struct scenario *scenario = traffic->scenario;

	put16(udp, random_below(&traffic->random, 65536));
	put16(udp + 2, random_chance(&traffic->random, 98) ? scenario->port : 4790);
	put16(udp + 6, 0);
	memset(udp + 8, 0, 8);
	udp[8] = 0x08;
	if (random_chance(&traffic->random, 5))
		random_fill(&traffic->random, udp + 8, 4);
	put16(udp + 12, vni >> 8);
	udp[14] = (uint8_t)vni;
	udp[15] = random_chance(&traffic->random, 5) ? 0xff : 0;
	return TUNNEL;
}

/* The length of padding: Ethernet's, or much more. */
static size_t draw_padding(struct traffic *traffic, size_t length)
{
	if (length < 46 && random_chance(&traffic->random, 50))
		return 46 - length;
	if (random_chance(&traffic->random, 94))
		return 0;
	return random_below(&traffic->random, random_chance(&traffic->random, 50) ? 20 : 2000);
}

static size_t append(struct traffic *traffic, uint8_t *frame, size_t length, size_t more)
{
	size_t room = traffic_longest(traffic) - length;

	more = more > room ? room : more;
	random_fill(&traffic->random, frame + length, more);
	return length + more;
}

size_t traffic_wrap(struct traffic *traffic, const struct inner_packet *packet, uint8_t *frame,
		    struct frame_layout *layout)
{
	struct random *random = &traffic->random;
	uint8_t version = random_chance(random, 80) ? 4 : 6;
	size_t at = put_outer_ethernet(traffic, frame, version), length, room;

	layout->outer_version = version;
	layout->outer_ip = at;
	at += put_outer_ip(traffic, frame + at, version);
	layout->outer_upper = at;
	at += put_tunnel(traffic, frame + at, packet->vni);
	layout->inner = at;
	layout->inner_version = packet->version;
	if (packet->version) {
		random_fill(random, frame + at, 12);
		frame[at] &= 0xfe;
		put16(frame + at + 12, packet->version == 4 ? 0x0800 : 0x86dd);
		at += ETHERNET;
	}
	room = traffic_longest(traffic) - at;
	length = packet->length < room ? packet->length : room;
	layout->inner_upper = at + (packet->version ? packet->upper : 0);
	memcpy(frame + at, packet->bytes, length);
	at = append(traffic, frame, at + length, draw_padding(traffic, length));
	put_outer_lengths(frame + layout->outer_ip, version, layout->outer_upper - layout->outer_ip,
			  at - layout->outer_upper);
	if (random_chance(random, 5)) /* behind the end of the outer packet */
		at = append(traffic, frame, at, random_from(random, 1, 60));
	return at;
}
