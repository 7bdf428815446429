/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of a command for a shell. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include <stddef.h>

/* What a word of less than `size` bytes takes at the most: each escaped, in quotes. */
#define QUOTE_SIZE(size) (4 * (size) + 3)

/*
 * The word as it is when no shell minds it, else in single quotes. Returns `text`, which is empty
 * when there is no room for the whole.
 */
const char *quote_word(char *text, size_t size, const char *word);

#endif
