// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's lists of CPUs. */
#include <stdio.h>
#include <string.h>

#include "base/cpus.h"
#include "tests/unit/unit.h"

static void lists(void **state)
{
	static const struct {
		const char *list;
		const char *cpus;
	} rows[] = {
		{"0", "0"}, {"0-3", "0 1 2 3"}, {"0,2-3,5", "0 2 3 5"}, {"7-8,127", "7 8 127"},
		{"", ""},   {"x", ""},          {"0,x", "0"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[64] = "";
		size_t length = 0;

		for (int cpu = -1;
		     (cpu = cpus_next(rows[i].list, cpu)) >= 0 && length < sizeof(text);)
			length += snprintf(text + length, sizeof(text) - length, "%s%d",
					   length ? " " : "", cpu);
		failed += row_differs(rows[i].list, text, rows[i].cpus);
	}
	assert_int_equal(failed, 0);
}

/* A process runs on a CPU that is online. */
static void online(void **state)
{
	char list[CPUS_LIST_SIZE];

	(void)state;
	assert_int_equal(cpus_online(list), 0);
	assert_null(strchr(list, '\n'));
	assert_true(cpus_next(list, -1) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(online)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
