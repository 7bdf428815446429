/* SPDX-License-Identifier: GPL-2.0-only */
/* Links on interfaces that several instances need a program on. */
#ifndef DATAPATH_SHARE_H
#define DATAPATH_SHARE_H

#include "datapath/internal.h"

/* Which instances have a link pinned: one of each sort; empty: none. */
struct share {
	char listener[INSTANCE_NAME_MAX + 1]; /* its program is the one that the link holds */
	char sender[INSTANCE_NAME_MAX + 1];   /* any program will do for it */
};

/*
 * While one instance looks for links and changes them, the others wait, for some seconds at the most.
 * A descriptor to close, or -errno, and the caller goes on without.
 */
int share_lock(void);

/*
 * The link that holds the program on an interface: a descriptor, or -ENOENT: no instance has it pinned.
 * `own`: what one of them had pinned before a change that is under way; or NULL.
 */
int share_find(int ifindex, const struct datapath_pins *own, struct share *share);
/* The same of a link; `except`: an instance that does not count, or NULL. */
void share_ask(int link, const char *except, struct share *share);

/*
 * Takes the program of an instance that listened off its link: from now on the link passes packets,
 * for instances that send by it, if there are any but `except`; else it is detached.
 */
void share_leave(int link, const char *except);

#endif
