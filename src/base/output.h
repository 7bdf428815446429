/* SPDX-License-Identifier: GPL-2.0-only */
/* Output of a process that must not wait: a pipe may be full, a terminal may be stopped. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <stddef.h>

/*
 * Writes the text as far as it is taken; waits `patience_ms` in all for whoever reads. 0; -EAGAIN: the
 * rest was not taken in time; or what write(2) says, as -errno.
 */
int output_write(int fd, const char *text, size_t length, int patience_ms);

#endif
