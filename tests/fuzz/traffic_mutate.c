// SPDX-License-Identifier: GPL-2.0-only
/* Errors in frames: wrong fields, lengths and ends. */
#include "traffic.h"

#include <string.h>

#define SHORTEST 14

/* Fields by their offset in a header, with their width in bytes. */
struct field {
	uint8_t offset;
	uint8_t width;
};

static const struct field ipv4_fields[] = {{0, 1},  {1, 1},  {2, 2},  {4, 2},  {6, 2},
					   {6, 2},  {8, 1},  {9, 1},  {10, 2}, {12, 2},
					   {14, 2}, {16, 2}, {18, 2}, {2, 2}};
static const struct field ipv6_fields[] = {{0, 1},  {4, 2},  {4, 2},  {6, 1},  {7, 1},
					   {8, 2},  {22, 2}, {24, 2}, {38, 2}, {40, 1},
					   {41, 1}, {42, 2}, {43, 1}};
static const struct field upper_fields[] = {{0, 2}, {2, 2}, {4, 2}, {6, 2}, {12, 1}, {16, 2}};
static const struct field tunnel_fields[] = {{2, 2}, {4, 2},  {4, 2},  {6, 2},
					     {8, 1}, {12, 2}, {14, 1}, {15, 1}};

static struct field draw_header_field(struct random *random, uint8_t version)
{
	return version == 6 ? RANDOM_PICK(random, ipv6_fields) : RANDOM_PICK(random, ipv4_fields);
}

/* Draws a field of a header; returns its offset in the frame. */
static size_t draw_field(struct random *random, const struct frame_layout *layout, uint8_t *width)
{
	struct field field = {12, 2}; /* an EtherType */
	size_t base = 0;

	switch (random_below(random, 8)) {
	case 0:
		break;
	case 1:
		base = layout->inner;
		break;
	case 2:
		base = layout->outer_ip;
		field = draw_header_field(random, layout->outer_version);
		break;
	case 3:
		base = layout->outer_upper;
		field = RANDOM_PICK(random, tunnel_fields);
		break;
	case 4:
		base = layout->inner_upper;
		field = RANDOM_PICK(random, upper_fields);
		break;
	default:
		base = layout->inner + 14;
		field = draw_header_field(random, layout->inner_version);
		break;
	}
	*width = field.width;
	return base + field.offset;
}

static void mutate_field(struct traffic *traffic, uint8_t *frame, size_t length,
			 const struct frame_layout *layout)
{
	static const uint16_t values[] = {0,      1,      5,      7,      8,      19,     20,
					  21,     27,     28,     39,     40,     47,     48,
					  0x1fff, 0x2000, 0x2001, 0x3fff, 0x4000, 0x6000, 0x7fff,
					  0x8000, 0xffff, 0x0800, 0x86dd, 0x8100, 0x88a8, 4789};
	static const uint8_t small[] = {0,  1,  4,    6,    17,   43,   44,   50,   51,  58,
					60, 59, 0x45, 0x46, 0x4f, 0x44, 0x60, 0x65, 255, 8};
	struct random *random = &traffic->random;
	uint8_t width, *at;
	size_t offset = draw_field(random, layout, &width);

	if (offset + width > length)
		return;
	at = frame + offset;
	if (width == 1) {
		*at = random_chance(random, 70) ? RANDOM_PICK(random, small)
						: (uint8_t)random_next(random);
		return;
	}
	switch (random_below(random, 4)) {
	case 0:
		put16(at, RANDOM_PICK(random, values));
		break;
	case 1:
		put16(at, random_below(random, 65536));
		break;
	default: /* a little more, a little less */
		put16(at, get16(at) + random_below(random, 65) - 32);
	}
}

static void mutate_byte(struct random *random, uint8_t *frame, size_t length)
{
	size_t headers = length < 170 ? length : 170;
	size_t at = 12 + random_below(random, (uint32_t)headers - 12);

	if (random_chance(random, 50))
		frame[at] ^= (uint8_t)(1 << random_below(random, 8));
	else
		frame[at] = (uint8_t)random_next(random);
}

/* Ends the frame at a border between headers or close to it, or anywhere. */
static size_t mutate_end(struct random *random, size_t length, const struct frame_layout *layout)
{
	const size_t borders[] = {layout->outer_ip,         layout->outer_ip + 20,
				  layout->outer_upper,      layout->outer_upper + 8,
				  layout->outer_upper + 16, layout->inner + 14,
				  layout->inner + 34,       layout->inner_upper,
				  layout->inner_upper + 8,  layout->inner_upper + 20};
	size_t end = SHORTEST + random_below(random, (uint32_t)(length - SHORTEST) + 1);

	if (random_chance(random, 60))
		end = RANDOM_PICK(random, borders) + random_below(random, 9) - 4;
	return end < SHORTEST || end > length ? length : end;
}

/* Cuts bytes off the end and adapts the lengths of the outer headers, as a mirror truncates. */
static size_t mutate_cut_short(struct random *random, uint8_t *frame, size_t length,
			       const struct frame_layout *layout)
{
	size_t end = mutate_end(random, length, layout);
	uint8_t *ip = frame + layout->outer_ip;

	if (end < layout->outer_upper + 8)
		return length;
	put16(frame + layout->outer_upper + 4, end - layout->outer_upper);
	if (layout->outer_version == 4)
		put16(ip + 2, end - layout->outer_ip);
	else
		put16(ip + 4, end - layout->outer_ip - 40);
	return random_chance(random, 50) ? end : length;
}

/* Inserts or removes a few bytes somewhere. */
static size_t mutate_shift(struct traffic *traffic, uint8_t *frame, size_t length)
{
	struct random *random = &traffic->random;
	size_t by = random_from(random, 1, 12);
	size_t at = 12 + random_below(random, (uint32_t)(length < 150 ? length : 150) - 12);

	if (random_chance(random, 50)) {
		if (at + by > length || length - by < SHORTEST)
			return length;
		memmove(frame + at, frame + at + by, length - at - by);
		return length - by;
	}
	if (length + by > traffic_longest(traffic))
		return length;
	memmove(frame + at + by, frame + at, length - at);
	random_fill(random, frame + at, by);
	return length + by;
}

static size_t mutate_once(struct traffic *traffic, uint8_t *frame, size_t length,
			  const struct frame_layout *layout)
{
	struct random *random = &traffic->random;
	size_t more;

	switch (random_below(random, 16)) {
	case 0:
		return mutate_end(random, length, layout);
	case 1:
	case 2:
		return mutate_cut_short(random, frame, length, layout);
	case 3:
		more = random_from(random, 1, 64);
		if (length + more > traffic_longest(traffic))
			return length;
		random_fill(random, frame + length, more);
		return length + more;
	case 4:
		return mutate_shift(traffic, frame, length);
	case 5:
	case 6:
		mutate_byte(random, frame, length);
		return length;
	default:
		mutate_field(traffic, frame, length, layout);
		return length;
	}
}

size_t traffic_mutate(struct traffic *traffic, uint8_t *frame, size_t length,
		      const struct frame_layout *layout)
{
	static const uint8_t counts[] = {1, 1, 1, 1, 2, 2, 3, 5};

	for (uint32_t i = RANDOM_PICK(&traffic->random, counts); i; i--)
		length = mutate_once(traffic, frame, length, layout);
	return length;
}
