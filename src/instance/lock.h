/* SPDX-License-Identifier: GPL-2.0-only */
/* At most one process controls an instance: the one that holds its lock. */
#ifndef INSTANCE_LOCK_H
#define INSTANCE_LOCK_H

#include "base/error.h"

#define INSTANCE_HEALTH "health" /* the daemon's record, below INSTANCE_RUN/NAME, of how it is */

/*
 * Makes this process the instance's only daemon, until it ends or calls instance_unlock(), with no
 * reloads so far. Returns a file descriptor; -EBUSY when another process is its daemon, or an
 * unidentified process has held the lock for 1 s.
 */
int instance_lock(const char *name, struct error *error);
void instance_unlock(const char *name, int fd);

/* Removes what a daemon that was killed left in INSTANCE_RUN; nothing while one runs. */
void instance_tidy(const char *name);

#endif
