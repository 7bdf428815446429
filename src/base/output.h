/* SPDX-License-Identifier: GPL-2.0-only */
/* Output that does not block: a pipe may be full, a terminal may be stopped. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <stddef.h>

/*
 * Writes the text, and waits at most `patience_ms` for the reader. 0; -EAGAIN: the time was up, and
 * the rest is not written; or the -errno of write(2).
 */
int output_write(int fd, const char *text, size_t length, int patience_ms);

#endif
