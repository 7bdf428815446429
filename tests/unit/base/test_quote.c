// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words of commands: those with special characters are quoted; a word is written whole or not at
 * all.
 */
#include "base/quote.h"
#include "tests/unit/unit.h"

static void words(void **state)
{
	static const struct {
		const char *word;
		const char *quoted;
	} rows[] = {
		{"ens5", "ens5"},
		{"/etc/vxlan-pipeline/config.yaml", "/etc/vxlan-pipeline/config.yaml"},
		{"eth0.12:1@2", "eth0.12:1@2"},
		{"", "''"},
		{"a b", "'a b'"},
		{"a&b", "'a&b'"},
		{"$HOME", "'$HOME'"},
		{"`id`", "'`id`'"},
		{"~", "'~'"},
		{"it's", "'it'\\''s'"},
		{"fifteen chars+'", ""},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[32];

		/* the last one is longer than its buffer by one */
		failed += row_differs(rows[i].word,
				      quote_word(text, *rows[i].quoted ? sizeof(text) : 20,
						 rows[i].word),
				      rows[i].quoted);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
