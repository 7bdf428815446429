/* SPDX-License-Identifier: GPL-2.0-only */
/* Text from outside, as the name of a file is, made fit for a terminal, a line of a log and JSON. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stddef.h>
#include <stdio.h>

/*
 * The text in UTF-8, with a '?' for each byte that is no part of a printable character: control
 * characters, which steer terminals and end lines, and what is no UTF-8.
 */
void printable_print(const char *text, FILE *stream);
/* The same into `buffer`, cut at a character where it is too long. Returns `buffer`. */
const char *printable_copy(char *buffer, size_t size, const char *text);

#endif
