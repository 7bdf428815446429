/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that is known of an instance at one time, for commands that show it. */
#ifndef OBSERVE_LOOK_H
#define OBSERVE_LOOK_H

#include "observe/health.h"
#include "observe/loss.h"

struct look {
	struct datapath_stats stats; /* state DATAPATH_ABSENT: nothing else is known */
	struct datapath_condition condition;
	struct health health;
	struct loss_table losses;
};

/*
 * Health is the daemon's own judgement, or else what `watch` makes of this reading and those before.
 * 0; or a negative errno, and there is nothing to be cleared.
 */
int look_take(struct look *look, const char *instance, struct health_watch *watch,
	      struct error *error);
void look_clear(struct look *look);

#endif
