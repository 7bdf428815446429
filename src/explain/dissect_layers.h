/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the dissector share; nobody else includes this. */
#ifndef EXPLAIN_DISSECT_LAYERS_H
#define EXPLAIN_DISSECT_LAYERS_H

#include "explain/dissect.h"

/* The state of one dissection: a cursor over the frame, and what outer layers know for inner ones. */
struct dissector {
	struct dissection *out;
	const uint8_t *frame;
	size_t position;
	size_t end; /* of what the innermost length allows, never beyond the frame */
	uint16_t tunnel_port;
	uint8_t version; /* of IP */
	const uint8_t *source;
	const uint8_t *destination;
	uint8_t protocol;
	bool fragmented; /* part of a datagram: checksums over the whole cannot be checked */
	bool cut_short;  /* the IP length reaches beyond the bytes present */
	bool rerouted;   /* a routing header: the pseudo header's destination is another one */
};

/* The next `length` bytes, or NULL and a word in the summary that `what` is cut off. */
const uint8_t *dissect_take(struct dissector *d, size_t length, const char *what);

void dissect_say(struct dissector *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void dissect_complain(struct dissector *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds a field. The last one that still fits is followed by a complaint, not by silence. */
struct dissect_field *dissect_add(struct dissector *d, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The number that the next field of this name gets: one more than there are. */
unsigned int dissect_next_number(const struct dissection *dissection, const char *name);
void dissect_add_hex(struct dissector *d, const char *name, const uint8_t *bytes, size_t length);
/*
 * Adds a checksum. `known` DISSECT_NO_CHECKSUM has it checked: `sum` is that of all it covers,
 * itself included, before folding.
 */
void dissect_add_checksum(struct dissector *d, const char *name, uint16_t value,
			  enum dissect_checksum known, uint64_t sum);

/* The bytes as big-endian 16-bit words, summed up; an odd one is padded with zero. */
uint64_t dissect_sum(const uint8_t *bytes, size_t length);

static inline uint16_t dissect_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t dissect_u32(const uint8_t *bytes)
{
	return (uint32_t)dissect_u16(bytes) << 16 | dissect_u16(bytes + 2);
}

static inline size_t dissect_left(const struct dissector *d)
{
	return d->end - d->position;
}

/* Each dissects from the cursor to the end. */
void dissect_ipv4(struct dissector *d);
void dissect_ipv6(struct dissector *d);
void dissect_transport(struct dissector *d);

#endif
