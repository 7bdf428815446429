/* SPDX-License-Identifier: GPL-2.0-only */
/* Which packets the configuration wants dropped, and which are dropped by a fault. */
#ifndef OBSERVE_DROPS_H
#define OBSERVE_DROPS_H

#include "datapath/datapath.h"

enum drop_cause {
	DROP_NONE,          /* the verdict drops nothing */
	DROP_CONFIGURATION, /* the configuration asks for it */
	DROP_FAULT,         /* of the packet, of the network, or of the program */
};

/* "configuration", "fault" */
const char *drop_cause_name(enum drop_cause cause);

enum drop_cause drop_cause_of(enum verdict verdict, const struct datapath_condition *condition);

/* Packets that were dropped for this cause. */
uint64_t drops_sum(const struct counters *counters, const struct datapath_condition *condition,
		   enum drop_cause cause);

#endif
