// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <string.h>

#include "base/quote.h"

static size_t harmless(const char *word)
{
	size_t length = 0;

	while (isalnum((unsigned char)word[length]) ||
	       (word[length] && strchr("_-./:@%+,=", word[length])))
		length++;
	return length;
}

const char *quote_word(char *text, size_t size, const char *word)
{
	static const char escaped[] = "'\\''";
	size_t used = 0;

	if (*word && !word[harmless(word)]) {
		strcpy(text, strlen(word) < size ? word : "");
		return text;
	}
	text[used++] = '\'';
	for (; *word; word++) {
		const char *as = *word == '\'' ? escaped : word;
		size_t length = as == escaped ? strlen(escaped) : 1;

		if (used + length + sizeof("'") > size) {
			*text = '\0';
			return text;
		}
		memcpy(text + used, as, length);
		used += length;
	}
	strcpy(text + used, "'");
	return text;
}
