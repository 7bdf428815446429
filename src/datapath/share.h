/* SPDX-License-Identifier: GPL-2.0-only */
/* Links that several instances have pinned, as each needs a program on the interface. */
#ifndef DATAPATH_SHARE_H
#define DATAPATH_SHARE_H

#include "datapath/internal.h"

/* Instances that have a link pinned, one of each sort; empty: none. */
struct share {
	char listener[INSTANCE_NAME_MAX + 1]; /* the link holds its program */
	char sender[INSTANCE_NAME_MAX + 1];   /* any program will do for it */
};

/*
 * Keeps other instances from changing links until the caller closes the descriptor. -errno after a few
 * seconds: somebody holds the lock all the time, and the caller goes on without it.
 */
int share_lock(void);

/*
 * Opens the link that holds the program on an interface. -ENOENT: no instance has it pinned; other
 * -errno: not known. `own`: what the calling instance had pinned before a change that is under way,
 * or NULL.
 */
int share_find(int ifindex, const struct datapath_pins *own, struct share *share);
/*
 * Which instances have this link pinned? `except`: one that does not count, or NULL. 0; -errno: there
 * may be others than those of *share.
 */
int share_ask(int link, const char *except, struct share *share);

/*
 * Takes the listener's program off a link. If an instance other than `except` sends by the link, the
 * link passes packets from now on, as where that is not known; otherwise it is detached.
 */
void share_leave(int link, const char *except);

#endif
