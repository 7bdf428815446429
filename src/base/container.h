/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether this process runs in a container, for what a message advises. */
#ifndef BASE_CONTAINER_H
#define BASE_CONTAINER_H

#include <stdbool.h>

/* One with a PID namespace of its own, as engines make them unless told otherwise. */
bool container_is_here(void);

#endif
