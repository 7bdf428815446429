/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames for a scenario: valid ones to which its rules, VNIs and sources apply, and the same with
 * wrong fields, lengths, flags and bytes.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "scenario.h"

#define TRAFFIC_MAX_FRAME 9600
#define TRAFFIC_PIECES    16

/* An inner IP packet. */
struct inner_packet {
	uint8_t bytes[TRAFFIC_MAX_FRAME];
	size_t length;
	size_t upper; /* offset of the header behind the IP headers */
	uint8_t version;
	uint32_t vni;
};

struct traffic {
	const struct scenario *scenario;
	struct random random;
	struct inner_packet pieces[TRAFFIC_PIECES]; /* fragments not sent yet */
	size_t piece_count;
};

void traffic_start(struct traffic *traffic, const struct scenario *scenario, uint64_t seed);
/* Writes the next frame, of 14 to traffic_longest() bytes, and returns its length. */
size_t traffic_next(struct traffic *traffic, uint8_t *frame);

/* The longest frame that the program is loaded for. */
static inline size_t traffic_longest(const struct traffic *traffic)
{
	return traffic->scenario->multi_buffer ? TRAFFIC_MAX_FRAME : SCENARIO_ONE_BUFFER;
}

/* Offsets of a frame's headers, for mutations. */
struct frame_layout {
	size_t outer_ip, outer_upper, inner, inner_upper;
	uint8_t outer_version, inner_version; /* 4, 6; 0: something else */
};

/* Draws an inner IP packet, mostly one that a rule of the scenario applies to. */
void traffic_draw_packet(struct traffic *traffic, struct inner_packet *packet);
/* Fragments a packet and adds the fragments to the traffic's pieces, not always in order. */
void traffic_cut(struct traffic *traffic, const struct inner_packet *packet);
/* Puts an inner packet into the tunnel. */
size_t traffic_wrap(struct traffic *traffic, const struct inner_packet *packet, uint8_t *frame,
		    struct frame_layout *layout);
/* Puts errors into a frame; returns its new length. */
size_t traffic_mutate(struct traffic *traffic, uint8_t *frame, size_t length,
		      const struct frame_layout *layout);

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* The sum of an Internet checksum, not folded. */
static inline uint32_t sum16(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += get16(bytes + i);
	return length % 2 ? sum + (uint32_t)(bytes[length - 1] << 8) : sum;
}

static inline uint16_t fold16(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

#endif
