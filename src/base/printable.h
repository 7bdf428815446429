/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes text from outside, such as a file's name, fit for a terminal, for a line of a log and for JSON. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stddef.h>
#include <stdio.h>

/* Writes the text with a '?' for each byte of a control character and of what is not UTF-8. */
void printable_print(const char *text, FILE *stream);
/* The same into `buffer`, without the characters that do not fit. Returns `buffer`. */
const char *printable_copy(char *buffer, size_t size, const char *text);

#endif
