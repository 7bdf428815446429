// SPDX-License-Identifier: GPL-2.0-only
/* The cursor over a frame, and the fields and words that the layers' parsers make of it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "explain/dissect_layers.h"

const char *dissect_checksum_name(enum dissect_checksum checksum)
{
	static const char *const names[] = {
		[DISSECT_CORRECT] = "correct",
		[DISSECT_WRONG] = "wrong",
		[DISSECT_ABSENT] = "absent",
		[DISSECT_UNVERIFIED] = "unverified",
	};

	return names[checksum];
}

const struct dissect_field *dissect_find(const struct dissection *dissection, const char *name,
					 unsigned int number)
{
	for (size_t i = 0; i < dissection->count; i++) {
		const struct dissect_field *field = &dissection->fields[i];

		if (field->number == number && strcmp(field->name, name) == 0)
			return field;
	}
	return NULL;
}

const uint8_t *dissect_take(struct dissector *d, size_t length, const char *what)
{
	const uint8_t *bytes = d->frame + d->position;

	if (dissect_left(d) < length) {
		dissect_complain(d, "%s cut off after %zu of %zu bytes", what, dissect_left(d),
				 length);
		return NULL;
	}
	d->position += length;
	return bytes;
}

static void dissect_append(char *text, size_t size, const char *format, va_list args)
{
	size_t used = strlen(text);

	vsnprintf(text + used, size - used, format, args);
}

void dissect_say(struct dissector *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	dissect_append(d->out->summary, sizeof(d->out->summary), format, args);
	va_end(args);
}

void dissect_complain(struct dissector *d, const char *format, ...)
{
	va_list args;

	if (*d->out->problem) /* the first one is the cause of the others */
		return;
	va_start(args, format);
	vsnprintf(d->out->problem, sizeof(d->out->problem), format, args);
	va_end(args);
}

unsigned int dissect_next_number(const struct dissection *dissection, const char *name)
{
	unsigned int number = 1;

	for (size_t i = 0; i < dissection->count; i++)
		number += strcmp(dissection->fields[i].name, name) == 0;
	return number;
}

struct dissect_field *dissect_add(struct dissector *d, const char *name, const char *format, ...)
{
	/* A place for what no longer fits saves every caller a check. */
	struct dissect_field *field = &d->out->fields[DISSECT_MAX_FIELDS - 1];
	va_list args;

	if (d->out->count < DISSECT_MAX_FIELDS - 1) {
		field = &d->out->fields[d->out->count];
		field->number = dissect_next_number(d->out, name);
		d->out->count++;
	} else {
		dissect_complain(d, "more headers than are shown");
	}
	field->name = name;
	field->checksum = DISSECT_NO_CHECKSUM;
	va_start(args, format);
	vsnprintf(field->text, sizeof(field->text), format, args);
	va_end(args);
	return field;
}

void dissect_add_hex(struct dissector *d, const char *name, const uint8_t *bytes, size_t length)
{
	const size_t most = 40;
	char text[DISSECT_TEXT_SIZE] = "";

	for (size_t i = 0; i < length && i < most; i++)
		snprintf(text + 2 * i, sizeof(text) - 2 * i, "%02x", bytes[i]);
	dissect_add(d, name, "%s%s", text, length > most ? "..." : "");
}

uint64_t dissect_sum(const uint8_t *bytes, size_t length)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += dissect_u16(bytes + i);
	if (length & 1)
		sum += (uint64_t)bytes[length - 1] << 8;
	return sum;
}

static uint16_t dissect_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void dissect_add_checksum(struct dissector *d, const char *name, uint16_t value,
			  enum dissect_checksum known, uint64_t sum)
{
	struct dissect_field *field = dissect_add(d, name, "0x%04x", value);

	field->checksum = known;
	if (known != DISSECT_NO_CHECKSUM)
		return;
	field->checksum = dissect_fold(sum) == 0xffff ? DISSECT_CORRECT : DISSECT_WRONG;
	field->right = (uint16_t)~dissect_fold(sum + (uint16_t)~value);
}
