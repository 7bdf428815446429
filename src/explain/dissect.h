/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frame as a list of named header fields, as Wireshark names them, and as one line in the manner
 * of tcpdump. Reads nothing but the bytes it is given and believes none of their lengths.
 */
#ifndef EXPLAIN_DISSECT_H
#define EXPLAIN_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISSECT_MAX_FIELDS   128
#define DISSECT_TEXT_SIZE    96 /* holds the hexadecimal of 40 bytes, as long as options get */
#define DISSECT_SUMMARY_SIZE 320
#define DISSECT_PROBLEM_SIZE 80

enum dissect_checksum {
	DISSECT_NO_CHECKSUM, /* the field is none */
	DISSECT_CORRECT,
	DISSECT_WRONG,
	DISSECT_ABSENT,     /* UDP: zero, the sender computed none */
	DISSECT_UNVERIFIED, /* not all bytes it covers are here */
};

struct dissect_field {
	const char *name;    /* "ip.dst" */
	unsigned int number; /* 1; 2 and up for further headers of the same kind */
	enum dissect_checksum checksum;
	uint16_t right; /* with DISSECT_WRONG: what would be right */
	char text[DISSECT_TEXT_SIZE];
};

struct dissection {
	size_t count;
	char summary[DISSECT_SUMMARY_SIZE]; /* "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 32" */
	char problem[DISSECT_PROBLEM_SIZE]; /* why it ends early; empty: it does not */
	size_t inner_offset;                /* of the frame in a VXLAN tunnel; 0: there is none */
	uint32_t vni;                       /* with inner_offset */
	size_t packet_offset;               /* of what the IP header carries; 0: not IP */
	size_t packet_length;               /* as far as it is present */
	size_t fragment_offset;             /* of those bytes in the whole datagram */
	size_t payload_offset;              /* of what follows the last header understood */
	size_t payload_length;
	struct dissect_field fields[DISSECT_MAX_FIELDS];
};

/* UDP to `tunnel_port` (0: none) is taken for VXLAN, and the frame inside it for payload. */
void dissect(struct dissection *dissection, const uint8_t *frame, size_t length,
	     uint16_t tunnel_port);

/* NULL: there is no such field. */
const struct dissect_field *dissect_find(const struct dissection *dissection, const char *name,
					 unsigned int number);

/* "correct", "wrong", "absent", "unverified"; NULL for what is no checksum. */
const char *dissect_checksum_name(enum dissect_checksum checksum);

#endif
