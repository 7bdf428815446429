/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames for a scenario: valid ones that its rules, VNIs and sources are about, and the same with
 * fields, lengths, flags and bytes that lie.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "scenario.h"

#define TRAFFIC_MAX_FRAME 3520 /* what the kernel takes for a trial run */
#define TRAFFIC_PIECES    16

/* An inner IP packet, and where its parts are: offsets from its start. */
struct inner_packet {
	uint8_t bytes[TRAFFIC_MAX_FRAME];
	size_t length;
	size_t upper; /* of what follows the IP headers */
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
/* Writes the next frame, of 14 to TRAFFIC_MAX_FRAME bytes, and returns its length. */
size_t traffic_next(struct traffic *traffic, uint8_t *frame);

/* Where the parts of a frame are that mutations aim at; offsets from its start. */
struct frame_layout {
	size_t outer_ip, outer_upper, inner, inner_upper;
	uint8_t outer_version, inner_version; /* 4, 6; 0: something else */
};

/* An IP packet of the traffic's making. */
void traffic_draw_packet(struct traffic *traffic, struct inner_packet *packet);
/* Cuts a packet to fragments, which become the traffic's pieces in some order. */
void traffic_cut(struct traffic *traffic, const struct inner_packet *packet);
/* Puts an inner packet into the tunnel. */
size_t traffic_wrap(struct traffic *traffic, const struct inner_packet *packet, uint8_t *frame,
		    struct frame_layout *layout);
/* Makes a frame lie. */
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

/* The sum that Internet checksums are made of, not folded. */
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
