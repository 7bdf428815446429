/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads whole files whose names the user gives: they may turn out to be anything. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>

#include "base/progress.h"

#define CONFIG_MAX_FILE_SIZE (64u << 20) /* no sensible configuration is larger */
#define CONFIG_FILE_PATIENCE 10          /* seconds until a pipe, or a read apart, is given up */

/*
 * Reads the whole file into *text, which the caller frees, and appends a zero byte. Takes regular files,
 * pipes without a name (/dev/stdin, the shell's <(...)) and /dev/null. Refuses FIFOs, devices and
 * sockets without opening them: opening or reading them may wait for another process.
 *
 * With progress->step set, a child process reads the file ("apart"), and progress_step() is called ten
 * times a second: a network file system without a server does not hold up the caller. Without it, or with
 * `progress` NULL, the calling process reads.
 *
 * 0 or -errno, which config_file_objection() explains. -ECANCELED: progress_step() returned false.
 */
int config_file_read(const char *path, const struct progress *progress, char **text,
		     size_t *length);

/* Writes why the file was not read: "cannot be read: ...". Returns `buffer`. */
const char *config_file_objection(int err, char *buffer, size_t size);

#endif
