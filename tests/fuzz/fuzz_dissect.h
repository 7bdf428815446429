/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold for a dissected frame, whatever its bytes. */
#ifndef FUZZ_DISSECT_H
#define FUZZ_DISSECT_H

#include "explain/dissect.h"
#include "fuzz.h"

static inline void check_field(const struct dissection *dissection, size_t i)
{
	const struct dissect_field *field = &dissection->fields[i];
	bool is_checksum = field->checksum != DISSECT_NO_CHECKSUM;

	must(field->name && *field->name && field->number, "fields have names and numbers");
	must(memchr(field->text, 0, sizeof(field->text)), "texts end");
	must(is_printable(field->text), "fields are printable");
	must(is_checksum == !!dissect_checksum_name(field->checksum), "checksums have a status");
	must(dissect_find(dissection, field->name, field->number) == field,
	     "a field is found by name and number");
}

static inline void check_dissection(const uint8_t *frame, size_t length, uint16_t tunnel_port,
				    int depth)
{
	struct dissection dissection;

	dissect(&dissection, frame, length, tunnel_port);
	must(dissection.count <= DISSECT_MAX_FIELDS, "fields have room");
	for (size_t i = 0; i < dissection.count; i++)
		check_field(&dissection, i);
	must(is_printable(dissection.summary), "the summary is printable");
	must(is_printable(dissection.problem), "the problem is printable");
	must(dissection.packet_offset + dissection.packet_length <= length,
	     "the packet is within the frame");
	must(dissection.payload_offset + dissection.payload_length <= length,
	     "the payload is within the frame");
	must(dissection.inner_offset <= length, "the inner frame is within the frame");
	if (dissection.inner_offset && depth)
		check_dissection(frame + dissection.inner_offset, length - dissection.inner_offset,
				 0, depth - 1);
}

#endif
