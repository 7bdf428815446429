// SPDX-License-Identifier: GPL-2.0-only
#include "traffic.h"

#include <string.h>

#define ETHERNET 14

void traffic_start(struct traffic *traffic, const struct scenario *scenario, uint64_t seed)
{
	traffic->scenario = scenario;
	traffic->random = (struct random){seed};
	traffic->piece_count = 0;
}

/* Copies a packet and gives it the header of one of its fragments. */
static void cut_piece(struct random *random, struct inner_packet *piece,
		      const struct inner_packet *packet, size_t from, size_t to, bool last)
{
	size_t fixed = packet->version == 4 ? packet->upper : 40;
	uint8_t *header = piece->bytes;

	piece->version = packet->version;
	piece->vni = packet->vni;
	memcpy(header, packet->bytes, fixed);
	if (packet->version == 4) {
		put16(header + 6,
		      from / 8 | (last ? 0 : 0x2000) | (random_chance(random, 10) ? 0x4000 : 0));
		piece->upper = fixed;
	} else { /* inserts a fragment header in front of the extension and upper headers */
		memcpy(header + 40, (const uint8_t[8]){packet->bytes[6]}, 8);
		put16(header + 42, from | (last ? 0 : 1));
		put16(header + 46, get16(packet->bytes + 2) & 3); /* one of four IDs */
		header[6] = 44;
		piece->upper = 48;
	}
	memcpy(header + piece->upper, packet->bytes + fixed + from, to - from);
	piece->length = piece->upper + to - from;
	if (packet->version == 4) {
		put16(header + 2, piece->length);
		put16(header + 10, 0);
		put16(header + 10, (uint16_t)~fold16(sum16(header, fixed, 0)));
	} else {
		put16(header + 4, piece->length - 40);
	}
}

void traffic_cut(struct traffic *traffic, const struct inner_packet *packet)
{
	struct random *random = &traffic->random;
	size_t fixed = packet->version == 4 ? packet->upper : 40;
	size_t payload = packet->length - fixed, from = 0;
	size_t chunk = 8 * random_from(random, 1, (uint32_t)(payload / 8 + 1));

	while (from < payload && traffic->piece_count < TRAFFIC_PIECES) {
		size_t to = from + chunk < payload ? from + chunk : payload;
		/* pieces are sent from the end of the list: mostly the first fragment first */
		size_t place = random_chance(random, 20)
				       ? random_below(random, (uint32_t)traffic->piece_count + 1)
				       : 0;

		memmove(&traffic->pieces[place + 1], &traffic->pieces[place],
			(traffic->piece_count++ - place) * sizeof(traffic->pieces[0]));
		cut_piece(random, &traffic->pieces[place], packet, from, to, to == payload);
		from = to;
		if (random_chance(random, 5)) /* overlap, or a gap */
			from += (random_chance(random, 50) && from > 8) ? -8 : 8;
	}
}

/* An Ethernet frame that is not IP. */
static size_t draw_stranger(struct random *random, uint8_t *frame)
{
	static const uint16_t types[] = {0x0806, 0x8100, 0x88cc, 0x88a8, 0x8847, 0x0027, 0xffff};
	size_t length = random_below(random, random_chance(random, 90) ? 100 : 3000);

	random_fill(random, frame, ETHERNET + length);
	put16(frame + 12, RANDOM_PICK(random, types));
	return ETHERNET + length;
}

size_t traffic_next(struct traffic *traffic, uint8_t *frame)
{
	struct random *random = &traffic->random;
	struct frame_layout layout = {0};
	struct inner_packet packet;
	size_t length;

	if (random_chance(random, 2))
		return draw_stranger(random, frame);
	if (traffic->piece_count && random_chance(random, 75)) {
		packet = traffic->pieces[--traffic->piece_count];
		if (random_chance(random, 5) && traffic->piece_count + 1 < TRAFFIC_PIECES)
			traffic->piece_count++; /* the piece is sent twice */
	} else if (random_chance(random, 3)) {
		packet.length = draw_stranger(random, packet.bytes);
		packet.vni = traffic->scenario->vnis[0];
		packet.version = 0;
	} else {
		traffic_draw_packet(traffic, &packet);
		if (random_chance(random, 12) && !traffic->piece_count)
			traffic_cut(traffic, &packet);
	}
	length = traffic_wrap(traffic, &packet, frame, &layout);
	if (random_chance(random, 45))
		length = traffic_mutate(traffic, frame, length, &layout);
	return length;
}
