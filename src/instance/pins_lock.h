/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * At most one daemon changes the pins of an instance, even if daemons do not see each other's lock
 * in INSTANCE_RUN: containers often share the BPF file system, but not /run.
 */
#ifndef INSTANCE_PINS_LOCK_H
#define INSTANCE_PINS_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Makes the instance's directory of pins if it does not exist, and locks it until this process
 * ends or calls instance_unlock_pins(). Another call locks the new directory if the locked one was
 * removed or unmounted. One instance a process. 0; -EBUSY: another process holds the lock; else
 * -errno.
 */
int instance_lock_pins(const char *name, struct error *error);
/* Removes the directory if nothing is pinned there. */
void instance_unlock_pins(const char *name);

/*
 * Does a process hold the lock? *holder is its process id in the PID namespace of this process; 0:
 * not visible here.
 */
bool instance_pins_locked(const char *name, pid_t *holder);

#endif
