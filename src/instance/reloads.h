/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon says of itself: how its loads of the configuration went, for `reload`, which waits for
 * its outcome, and what it cannot do at present, for `status`.
 */
#ifndef INSTANCE_RELOADS_H
#define INSTANCE_RELOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define INSTANCE_RELOADS "reloads" /* the file, below INSTANCE_RUN/NAME */

/*
 * The start is number 1. All reloads that are asked for while one is under way are done by the next
 * one.
 */
struct instance_reloads {
	unsigned int begun;
	unsigned int ended;
	int64_t ended_at; /* CLOCK_REALTIME, seconds: when the last reload did; 0: there was none */
	bool failed;      /* the last one that ended */
	char why[sizeof(((struct error *)NULL)->text)];
	/* besides: why the configuration cannot be applied to the interfaces as they are; empty: it is */
	char trouble[sizeof(((struct error *)NULL)->text)];
	/* and why HTTP is not served where it is to be; empty: it is, or is off */
	char unserved[sizeof(((struct error *)NULL)->text)];
};

/* For the process that holds the lock; 0 or -errno. Needs no room on the disk: instance_lock() took it. */
int instance_write_reloads(const char *name, const struct instance_reloads *reloads);
/* 0; -ENOENT: no daemon wrote any; -EBADMSG: one of another version did; else -errno. */
int instance_read_reloads(const char *name, struct instance_reloads *reloads);

#endif
