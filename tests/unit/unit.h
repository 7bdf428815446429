/* SPDX-License-Identifier: GPL-2.0-only */
/* For all unit tests: cmocka, and tables whose rows say in a sentence what they show. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Compares texts and prints the row if they differ. Returns 1 if they do, to be summed up. */
static inline int row_differs(const char *sentence, const char *got, const char *expected)
{
	if (strcmp(got, expected) == 0)
		return 0;
	print_error("%s:\n--- expected\n%s\n--- got\n%s\n", sentence, expected, got);
	return 1;
}

#endif
