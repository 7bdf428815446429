// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "web/query.h"

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return isxdigit((unsigned char)digit) ? tolower((unsigned char)digit) - 'a' + 10 : -1;
}

/* Undoes the escapes; how many bytes that makes, without a zero byte behind, or -EINVAL. */
static int unescape(const char *from, size_t length, char *to, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int high, low;

		if (used == size)
			return -EINVAL;
		if (from[i] != '%') {
			to[used++] = from[i] == '+' ? ' ' : from[i];
			continue;
		}
		high = i + 2 < length ? hex_digit(from[i + 1]) : -1;
		low = high < 0 ? -1 : hex_digit(from[i + 2]);
		if (low < 0)
			return -EINVAL;
		to[used++] = (char)(high << 4 | low);
		i += 2;
	}
	return (int)used;
}

/* Is it text that a name can hold? Of UTF-8 no more than its shape matters: it is only compared. */
static bool is_text(const char *bytes, size_t length)
{
	size_t behind = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte < ' ' || byte == 0x7f || (behind > 0) != ((byte & 0xc0) == 0x80))
			return false;
		if (behind)
			behind--;
		else if (byte >= 0xf0)
			behind = 3;
		else if (byte >= 0xc0)
			behind = byte >= 0xe0 ? 2 : 1;
	}
	return !behind;
}

static int take_text(struct query *query, const char *value, size_t length, struct error *error)
{
	char text[QUERY_TEXT_MAX];
	int got = unescape(value, length, text, sizeof(text));

	if (got < 0 || !is_text(text, (size_t)got))
		return error_set(error, -EINVAL,
				 "q: takes up to %d bytes of text, escaped as in a URL",
				 QUERY_TEXT_MAX);
	memcpy(query->text, text, (size_t)got);
	query->text[got] = '\0';
	return 0;
}

static int take_sort(struct query *query, const char *value, size_t length, const char *number,
		     struct error *error)
{
	const struct {
		const char *name;
		enum query_sort sort;
	} sorts[] = {
#define X(upper, name) {#name, QUERY_SORT_##upper},
		QUERY_SORTS(X)
#undef X
			{number, QUERY_SORT_NUMBER},
	};

	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
		if (strlen(sorts[i].name) != length || memcmp(sorts[i].name, value, length) != 0)
			continue;
		query->sort = sorts[i].sort;
		return 0;
	}
	return error_set(error, -EINVAL, "sort: takes pps, packets or %s", number);
}

static int take_number(unsigned int *number, const char *name, const char *value, size_t length,
		       unsigned int from, unsigned int to, struct error *error)
{
	unsigned int sum = 0;
	bool good = length > 0 && length <= 9;

	for (size_t i = 0; good && i < length; i++) {
		good = value[i] >= '0' && value[i] <= '9';
		sum = sum * 10 + (unsigned int)(value[i] - '0');
	}
	if (!good || sum < from || sum > to)
		return error_set(error, -EINVAL, "%s: takes a number from %u to %u", name, from,
				 to);
	*number = sum;
	return 0;
}

static bool is_called(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

/* Which of the names a query may have; each once. */
enum query_name { NAME_SORT, NAME_TEXT, NAME_LIMIT, NAME_OFFSET, NAME_COUNT };

static int take(struct query *query, enum query_name name, const char *value, size_t length,
		const char *number, struct error *error)
{
	switch (name) {
	case NAME_SORT:
		return take_sort(query, value, length, number, error);
	case NAME_TEXT:
		return take_text(query, value, length, error);
	case NAME_LIMIT:
		return take_number(&query->limit, "limit", value, length, 1, QUERY_LIMIT_MAX,
				   error);
	default:
		return take_number(&query->offset, "offset", value, length, 0, QUERY_OFFSET_MAX,
				   error);
	}
}

int query_parse(struct query *query, const char *text, const char *number, struct error *error)
{
	static const char *const names[NAME_COUNT] = {"sort", "q", "limit", "offset"};
	struct query parsed = {.limit = QUERY_LIMIT_DEFAULT};
	bool seen[NAME_COUNT] = {false};

	while (*text) {
		size_t word = strcspn(text, "=&"), length = strcspn(text, "&");
		enum query_name name = 0;

		while (name < NAME_COUNT && !is_called(text, word, names[name]))
			name++;
		if (name == NAME_COUNT || word == length)
			return error_set(
				error, -EINVAL,
				"the query takes sort=, q=, limit= and offset=, joined by &");
		if (seen[name])
			return error_set(error, -EINVAL, "%s: stands twice", names[name]);
		seen[name] = true;
		if (take(&parsed, name, text + word + 1, length - word - 1, number, error))
			return -EINVAL;
		text += length + (text[length] == '&');
	}
	*query = parsed;
	return 0;
}
