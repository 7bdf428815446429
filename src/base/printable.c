// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <string.h>

#include "base/printable.h"

static bool printable_continues(const unsigned char *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return false;
	}
	return true;
}

/*
 * Returns how many bytes the character at the beginning of `text` has; 0: it is not printable. Refuses
 * the control characters U+0080 to U+009F, and encodings that RFC 3629 forbids: too long, surrogates.
 */
static size_t printable_length(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	if (at[0] < 0x80)
		return at[0] >= ' ' && at[0] != 0x7f;
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		return printable_continues(at + 1, 1) && (at[0] > 0xc2 || at[1] >= 0xa0) ? 2 : 0;
	if ((at[0] & 0xf0) == 0xe0)
		return printable_continues(at + 1, 2) && (at[0] > 0xe0 || at[1] >= 0xa0) &&
				       (at[0] != 0xed || at[1] < 0xa0)
			       ? 3
			       : 0;
	if (at[0] >= 0xf0 && at[0] <= 0xf4)
		return printable_continues(at + 1, 3) && (at[0] > 0xf0 || at[1] >= 0x90) &&
				       (at[0] < 0xf4 || at[1] < 0x90)
			       ? 4
			       : 0;
	return 0;
}

void printable_print(const char *text, FILE *stream)
{
	while (*text) {
		size_t length = printable_length(text);

		if (length)
			fwrite(text, 1, length, stream);
		else
			fputc('?', stream);
		text += length ? length : 1;
	}
}

const char *printable_copy(char *buffer, size_t size, const char *text)
{
	size_t used = 0;

	while (*text) {
		size_t length = printable_length(text), taken = length ? length : 1;

		if (used + taken >= size)
			break;
		memcpy(buffer + used, length ? text : "?", taken);
		used += taken;
		text += taken;
	}
	buffer[used] = '\0';
	return buffer;
}
