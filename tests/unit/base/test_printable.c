// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names from outside: bytes that steer a terminal, end a line or are no UTF-8 become question
 * marks.
 */
#include "base/printable.h"
#include "tests/unit/unit.h"

static void names(void **state)
{
	static const struct {
		const char *sentence;
		const char *text;
		const char *shown;
	} rows[] = {
		{"plain", "/etc/a b.yaml", "/etc/a b.yaml"},
		{"nothing", "", ""},
		{"a colour", "a\033[31mb", "a?[31mb"},
		{"the window's title", "\033]0;owned\007", "?]0;owned?"},
		{"more than one line", "a\nb\tc\r", "a?b?c?"},
		{"delete", "a\177", "a?"},
		{"a letter of two bytes", "caf\303\251", "caf\303\251"},
		{"of three, and of four", "\342\202\254\360\237\222\243",
		 "\342\202\254\360\237\222\243"},
		{"Latin-1", "caf\351", "caf?"},
		{"control characters in UTF-8: U+009B begins a sequence", "\302\23331m", "??31m"},
		{"U+00A0 is none", "\302\240", "\302\240"},
		{"an escape in more bytes than it takes", "\340\202\233\360\200\202\233",
		 "???????"},
		{"half of a pair of UTF-16", "\355\240\200", "???"},
		{"beyond the last character", "\364\220\200\200", "????"},
		{"cut in the middle", "\342\202", "??"},
	};
	char text[32], printed[32];
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		FILE *stream = fmemopen(strcpy(printed, ""), sizeof(printed), "w");

		printable_print(rows[i].text, stream);
		fclose(stream);
		failed += row_differs(rows[i].sentence, printed, rows[i].shown);
		failed += row_differs(rows[i].sentence,
				      printable_copy(text, sizeof(text), rows[i].text),
				      rows[i].shown);
	}
	assert_int_equal(failed, 0);
}

static void no_room(void **state)
{
	char text[4];

	(void)state;
	assert_string_equal(printable_copy(text, sizeof(text), "abcd"), "abc");
	assert_string_equal(printable_copy(text, sizeof(text), "ab\303\251"), "ab");
	assert_string_equal(printable_copy(text, 1, "a"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(no_room)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
