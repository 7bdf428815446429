/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading files whole: those that the user names, which may be anything. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>

#include "base/progress.h"

#define CONFIG_MAX_FILE_SIZE (64u << 20) /* no sensible configuration is larger */
#define CONFIG_FILE_PATIENCE 10 /* seconds for a pipe, and for a caller that has others to serve */

/*
 * The whole of a file, with a zero byte behind it; to be freed. Of what is no file it reads a pipe without a name, as
 * /dev/stdin and the shell's <(...) are, and /dev/null. Nothing is opened that could wait for
 * somebody else.
 *
 * `progress` with a step: it is told ten times a second, and another process reads the file, so that not even a
 * network file system whose server is gone holds up the caller. Else NULL is as good.
 *
 * 0; or -errno, for config_file_objection(); -ECANCELED: progress_step() said so.
 */
int config_file_read(const char *path, const struct progress *progress, char **text,
		     size_t *length);

/* What is said of the file then: "cannot be read: ...". */
const char *config_file_objection(int err, char *buffer, size_t size);

#endif
