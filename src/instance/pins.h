/* SPDX-License-Identifier: GPL-2.0-only */
/* What an instance has pinned: its directory below the BPF file system. */
#ifndef INSTANCE_PINS_H
#define INSTANCE_PINS_H

#include <stdbool.h>

#include "base/error.h"
#include "instance/instance.h"

/* Says that nothing of the instance is pinned, and what to do about it; -ENOENT. */
int instance_not_attached(const char *name, struct error *error);

/* A daemon that starts or waits has made its directory, and has pinned nothing there. */
bool instance_has_pins(const char *name);
/* Calls `visit` for each instance that has something pinned. */
void instance_each(void (*visit)(const char *name, void *data), void *data);

/*
 * For the instance's daemon: mounts the BPF file system if it is not, and makes and locks the
 * instance's directory below it, as instance_lock_pins() does.
 */
int instance_make_pins(const char *name, struct error *error);
/* Removes a directory and all below it: 0, or -errno; -ENOENT when there is none. */
int instance_remove_tree(const char *path);
/* Removes everything pinned for the instance; -ENOENT if there was nothing. */
int instance_remove_pins(const char *name, struct error *error);

#endif
