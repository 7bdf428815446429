/* SPDX-License-Identifier: GPL-2.0-only */
/* Is an instance well, and if not, why: what `status` says and /healthz answers. */
#ifndef OBSERVE_HEALTH_H
#define OBSERVE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "datapath/datapath.h"
#include "instance/reloads.h"

#define HEALTH_MAX_REASONS 16
#define HEALTH_REASON_SIZE 320

/*
 * Without a sign of life for so long, where several come in a second, the control loop has stalled:
 * told within 2 s of when it stalled, whatever the time between two looks.
 */
#define HEALTH_STALLED_MS 1700

/* Well if there is no reason why not. */
struct health {
	char reasons[HEALTH_MAX_REASONS][HEALTH_REASON_SIZE];
	size_t count;
};

/* Earlier readings: whether packets are lost on their way out is seen between two. */
struct health_watch {
	bool seen;
	uint64_t sent;
	struct {
		uint64_t lost;         /* all in all */
		uint64_t fresh, of;    /* lost of sent, when it was a reason last */
		unsigned int readings; /* for which it still is one, while nothing is sent */
		unsigned int leaking;  /* readings in a row in which a few were lost */
	} kinds[LOSS_COUNT];
};

void health_add(struct health *health, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Judges a reading and makes it the earlier one. `daemon` is the process id of the instance's
 * daemon, or 0; `said` is what it says of itself, NULL where that is still to be read.
 */
void health_judge(struct health *health, struct health_watch *watch, const char *instance,
		  const struct datapath_condition *condition, pid_t daemon,
		  const struct instance_reloads *said);

/* The same reasons, whatever their numbers: those of packets and seconds change all the time. */
bool health_same_reasons(const struct health *a, const struct health *b);

#endif
