// SPDX-License-Identifier: GPL-2.0-only
/* The query of /rules.json and /vnis.json. */
#include <errno.h>

#include "tests/unit/unit.h"
#include "web/query.h"

#define LETTERS_32 "abcdefghijklmnopqrstuvwxyzabcdef"
#define TAKES      "the query takes sort=, q=, limit= and offset=, joined by &"
#define TEXT       "q: takes up to 64 bytes of text, escaped as in a URL"
#define LIMIT      "limit: takes a number from 1 to 500"
#define OFFSET     "offset: takes a number from 0 to 65536"

/* What came of it in one line. */
static const char *tell(const char *text, char *line, size_t size)
{
	static const char *const sorts[] = {"pps", "packets", "number"};
	struct query query;
	struct error error;

	if (query_parse(&query, text, "rule", &error))
		snprintf(line, size, "%.150s", error.text);
	else
		snprintf(line, size, "%s '%s' %u+%u", sorts[query.sort], query.text, query.offset,
			 query.limit);
	return line;
}

static void queries(void **state)
{
	static const struct {
		const char *sentence;
		const char *text;
		const char *result;
	} rows[] = {
		{"nothing: the first rows by packets a second", "", "pps '' 0+50"},
		{"all that there is", "sort=packets&q=syslog&limit=7&offset=14",
		 "packets 'syslog' 14+7"},
		{"in another order", "offset=1&sort=rule", "number '' 1+50"},
		{"the largest numbers", "limit=500&offset=65536", "pps '' 65536+500"},
		{"leading zeros", "limit=007", "pps '' 0+7"},
		{"a separator at the end", "limit=1&", "pps '' 0+1"},
		{"no text", "q=", "pps '' 0+50"},
		{"an equals sign in the text", "q=a=b", "pps 'a=b' 0+50"},
		{"escapes in both cases of letters", "q=%5B%3a%3A1%5d", "pps '[::1]' 0+50"},
		{"a space, either way", "q=a+b%20c", "pps 'a b c' 0+50"},
		{"an escaped separator", "q=a%26limit%3D1", "pps 'a&limit=1' 0+50"},
		{"UTF-8 of two, three and four bytes", "q=%c3%bc%e2%82%ac%f0%9f%98%80",
		 "pps '\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80' 0+50"},
		{"64 bytes", "q=" LETTERS_32 LETTERS_32, "pps '" LETTERS_32 LETTERS_32 "' 0+50"},
		{"65 bytes", "q=a" LETTERS_32 LETTERS_32, TEXT},
		{"an escape of one digit", "q=%4", TEXT},
		{"an escape without digits", "q=%", TEXT},
		{"an escape that is no number", "q=%g1", TEXT},
		{"an escape cut off by a separator", "q=%4&limit=1", TEXT},
		{"a zero byte", "q=a%00b", TEXT},
		{"a line end", "q=a%0ab", TEXT},
		{"a delete", "q=%7f", TEXT},
		{"UTF-8 that is cut short", "q=%c3", TEXT},
		{"UTF-8 that goes on without a beginning", "q=%80", TEXT},
		{"a beginning within a character", "q=%c3%c3", TEXT},
		{"an unknown name", "sorted=pps", TAKES},
		{"a name that begins like one", "limits=1", TAKES},
		{"a name in capitals", "LIMIT=1", TAKES},
		{"an escaped name", "%6cimit=1", TAKES},
		{"a name without a value", "limit", TAKES},
		{"a value without a name", "=1", TAKES},
		{"a separator at the beginning", "&limit=1", TAKES},
		{"two separators", "limit=1&&offset=1", TAKES},
		{"twice", "limit=1&limit=1", "limit: stands twice"},
		{"an unknown order", "sort=bytes", "sort: takes pps, packets or rule"},
		{"the order of the other table", "sort=vni", "sort: takes pps, packets or rule"},
		{"no order", "sort=", "sort: takes pps, packets or rule"},
		{"no number", "limit=", LIMIT},
		{"zero rows", "limit=0", LIMIT},
		{"too many rows", "limit=501", LIMIT},
		{"a negative number", "limit=-1", LIMIT},
		{"a sign", "limit=+1", LIMIT},
		{"a fraction", "limit=1.5", LIMIT},
		{"a number and more", "limit=1x", LIMIT},
		{"a number that overflows", "limit=4294967297", LIMIT},
		{"a number that is very long", "limit=00000000000000000001", LIMIT},
		{"an escaped digit", "limit=%31", LIMIT},
		{"too far", "offset=65537", OFFSET},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char line[200];

		failures += row_differs(rows[i].sentence, tell(rows[i].text, line, sizeof(line)),
					rows[i].result);
	}
	assert_int_equal(failures, 0);
}

static void unchanged(void **state)
{
	struct query query = {.limit = 3, .text = "before"};
	struct error error;

	(void)state;
	assert_int_equal(query_parse(&query, "limit=5&q=%", "vni", &error), -EINVAL);
	assert_int_equal(query.limit, 3);
	assert_string_equal(query.text, "before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(queries), cmocka_unit_test(unchanged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
