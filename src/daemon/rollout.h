/* SPDX-License-Identifier: GPL-2.0-only */
/* Putting a configuration in force: the fastest way to attach that its interfaces allow. */
#ifndef DAEMON_ROLLOUT_H
#define DAEMON_ROLLOUT_H

#include "datapath/datapath.h"
#include "daemon/next_hops.h"

/* What keeps the next hops of the generation in force fresh. */
struct rollout {
	struct datapath_links links; /* the interfaces, as they were then */
	struct datapath_control control;
	struct next_hops *next_hops; /* NULL: none are kept */
	struct progress progress;    /* told between the steps of putting one in force */
};

#define ROLLOUT_NONE                  \
	{                             \
		.control.beat_fd = -1 \
	}

/*
 * Prepares the configuration beside what the instance runs now, swaps, and tells the log how. On
 * success *rollout is what is in force; on failure it is untouched, and so is what runs.
 * -ERANGE: the configuration asks for what its interfaces cannot do.
 */
int rollout_put_in_force(struct rollout *rollout, const char *instance, const struct config *config,
			 struct error *error);

/*
 * Has something changed under a configuration in force that only putting it in force again mends:
 * an interface made anew, another MTU or MAC, pins that are gone? Then *why says what.
 */
bool rollout_is_outdated(const struct rollout *rollout, const char *instance,
			 const struct config *config, struct error *why);

void rollout_end(struct rollout *rollout); /* the datapath goes on */

#endif
