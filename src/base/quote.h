/* SPDX-License-Identifier: GPL-2.0-only */
/* Quotes words of a command for a shell. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include <stddef.h>

/* The most bytes that a word of less than `size` bytes takes: each byte escaped, in quotes. */
#define QUOTE_SIZE(size) (4 * (size) + 3)

/*
 * Writes the word as it is if a shell takes it literally, else in single quotes. Returns `text`,
 * which is empty if the whole does not fit.
 */
const char *quote_word(char *text, size_t size, const char *word);

#endif
