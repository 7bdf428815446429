/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a failure travels: functions return a negative errno and say in a struct error what failed,
 * with the object, the bad value, the cause and, where there is one, the remedy. Nobody prints on
 * the way; whoever cannot go on prints it once.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

struct error {
	char text[768]; /* one line, no newline at its end; room for a command that mends it */
};

/* Stores the text and returns `code` (a negative errno), so that `return error_set(...)` reads. */
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Does the kernel give this -errno for what passes, such as want of memory? It says nothing else then. */
bool error_may_pass(int err);

#endif
