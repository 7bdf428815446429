/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside instance/ only. */
#ifndef INSTANCE_INTERNAL_H
#define INSTANCE_INTERNAL_H

#include <sys/stat.h>

#include "base/error.h"
#include "instance/instance.h"

#define INSTANCE_LOCK "lock" /* the file, below INSTANCE_RUN/NAME */

/* INSTANCE_RUN/NAME, or below it. Returns `path`, which holds INSTANCE_PATH_SIZE bytes. */
const char *instance_run_path(char *path, const char *name, const char *below);

/* From now on the instance's pins are below this directory; -1: below this process's root. */
void instance_set_root(const char *name, int fd);

/* Is the open file still the one at `path`? */
bool instance_is_file(int fd, const char *path);

/* Makes `above`, and `path` in it; neither has to be new. 0 or -errno. */
int instance_make_directories(const char *above, const char *path, mode_t mode,
			      struct error *error);

#endif
