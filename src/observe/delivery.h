/* SPDX-License-Identifier: GPL-2.0-only */
/* Does what an instance judges leave, and arrive at its next hop? */
#ifndef OBSERVE_DELIVERY_H
#define OBSERVE_DELIVERY_H

#include <stdbool.h>

#include "observe/health.h"

/*
 * Adds the reasons that next hops, verdicts and losses are, and makes the reading the earlier one.
 * `carries`: the egress interface can carry traffic; if not, no next hop is to blame.
 */
void delivery_judge(struct health *health, struct health_watch *watch,
		    const struct datapath_condition *condition, bool carries);

#endif
