/* SPDX-License-Identifier: GPL-2.0-only */
/* Applying a configuration: in the fastest XDP mode that its interfaces allow. */
#ifndef DAEMON_APPLY_H
#define DAEMON_APPLY_H

#include "datapath/datapath.h"
#include "daemon/next_hops.h"
#include "net/silence.h"

/* What the daemon holds of the applied configuration, to keep its next hops fresh. */
struct applied {
	struct datapath_links links; /* the interfaces, as they were then */
	struct datapath_control control;
	struct next_hops *next_hops; /* NULL: none are kept */
	struct silence silence;      /* what keeps the kernel from answering captured packets */
	bool may_pass;               /* it is in place, so that the datapath passes packets */
	bool silence_changed;        /* no longer, or only now: to be applied again */
	struct error unsilenced;     /* why it is not in place */
	struct progress progress;    /* told between the steps of applying one */
};

#define APPLIED_NONE                             \
	{                                        \
		.control = DATAPATH_CONTROL_NONE \
	}

/*
 * Loads the configuration beside what the instance runs now, swaps, and tells the log how. On success
 * *applied describes the new one; on failure it is untouched, and so is what runs.
 * -ERANGE: the configuration asks for what its interfaces cannot do.
 */
int apply_config(struct applied *applied, const char *instance, const struct config *config,
		 struct error *error);

/*
 * Has something changed that only applying the configuration again mends: an interface made anew,
 * another MTU or MAC, pins that are gone? Then *why says what.
 */
bool applied_is_outdated(const struct applied *applied, const char *instance,
			 const struct config *config, struct error *why);

/* Tries again to follow next hops, where that failed when the configuration was applied. */
void applied_follow_next_hops(struct applied *applied, const struct config *config);

/*
 * Looks whether the kernel is still kept from answering captured packets, and sees to it again where
 * somebody has changed that; `read`: also at the rules, which takes a few ms.
 */
void applied_keep_silence(struct applied *applied, const char *instance, bool read);

/* Is it of any configuration? */
static inline bool applied_any(const struct applied *applied)
{
	return applied->links.listen_ifindex != 0;
}

void applied_release(struct applied *applied); /* the datapath goes on */

#endif
