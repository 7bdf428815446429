/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * At most one daemon works on what is pinned, also where the lock in INSTANCE_RUN does not tell of the
 * other one: containers often share the BPF file system and not /run.
 */
#ifndef INSTANCE_PINS_LOCK_H
#define INSTANCE_PINS_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Makes the instance's directory of pins, unless it is there, and locks it until this process ends or
 * calls instance_unlock_pins(). Called again, it locks the directory that has taken the place of one
 * that was removed or unmounted. One instance a process. 0; -EBUSY: another process has the lock; else
 * -errno.
 */
int instance_lock_pins(const char *name, struct error *error);
/* Removes the directory if nothing is pinned there. */
void instance_unlock_pins(const char *name);

/*
 * Has a process locked the pins? *holder is its process id in the PID namespace of this process, or 0:
 * it cannot be seen from here.
 */
bool instance_pins_locked(const char *name, pid_t *holder);

#endif
