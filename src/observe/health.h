/* SPDX-License-Identifier: GPL-2.0-only */
/* How an instance is, and what is wrong with it: what `status` says and /healthz answers. */
#ifndef OBSERVE_HEALTH_H
#define OBSERVE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "datapath/datapath.h"
#include "instance/daemon.h"
#include "instance/reloads.h"

#define HEALTH_MAX_REASONS 16
#define HEALTH_REASON_SIZE 320

/*
 * Without a sign of life for so long, where several come in a second, the control loop has stalled:
 * told within 2 s of when it stalled, whatever the time between two looks.
 */
#define HEALTH_STALLED_MS 1700

/*
 * The condition of an instance, and what a reason makes of it. BAD: the appliance cannot do its job,
 * and a load balancer should send flows to another one; /healthz answers 503. DEGRADED: something is
 * wrong that another appliance would not mend; /healthz answers 200.
 */
enum health_severity { HEALTH_GOOD, HEALTH_DEGRADED, HEALTH_BAD };

const char *health_severity_name(enum health_severity severity); /* "good", "degraded", "bad" */

/* Good if there is no reason. */
struct health {
	struct health_reason {
		enum health_severity severity;
		char text[HEALTH_REASON_SIZE];
	} reasons[HEALTH_MAX_REASONS];
	size_t count;
};

/* Where there is no room left, a bad reason takes the place of the last degraded one. */
void health_add(struct health *health, enum health_severity severity, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The severity of the worst reason. */
enum health_severity health_condition(const struct health *health);
/* The first of the worst reasons; NULL if there is none. */
const char *health_worst_reason(const struct health *health);

/* The same reasons, whatever their numbers: those of packets and seconds change all the time. */
bool health_same_reasons(const struct health *a, const struct health *b);
/* Writes a reason with N for each of its numbers, which it keeps for as long as it stands. */
void health_reason_constant(const struct health_reason *reason, char *text, size_t size);

/* What is amiss of the packets that should leave, in the last two readings that had any. */
struct health_share {
	uint64_t taken, of;
	uint64_t last_taken, last_of; /* in the later one alone */
	unsigned int quiet;           /* readings without packets since */
};

/* A target that the daemon knows no way to, while the kernel is asked for each packet. */
struct health_target {
	struct ip_address address;
	uint64_t packets; /* for it, in the reading before */
	bool arrives;     /* the kernel knew the way for most of the latest ones */
};

/* Earlier readings: what becomes of packets is seen between two. */
struct health_watch {
	bool seen;
	struct counters counters;
	struct {
		uint64_t lost;         /* all in all */
		uint64_t fresh, of;    /* lost of sent, when it was a reason last */
		unsigned int readings; /* for which it still is one, while nothing is sent */
		unsigned int leaking;  /* readings in a row in which a few were lost */
	} kinds[LOSS_COUNT];
	uint64_t passed_dropped; /* by the kernel, all in all */
	struct health_share error, no_route, oversize, passed;
	bool neighbours_unknown; /* most of no_route's packets had a route, and no neighbour */
	struct health_target targets[DATAPATH_UNRESOLVED_SHOWN];
	size_t target_count;
	bool has_failing;         /* targets that have a reason of their own */
	uint64_t failing_packets; /* for them */
};

/*
 * Judges a reading and makes it the earlier one. `said` is what the daemon says of itself, NULL where
 * that is still to be read.
 */
void health_judge(struct health *health, struct health_watch *watch, const char *instance,
		  const struct datapath_condition *condition, const struct instance_daemon *daemon,
		  const struct instance_reloads *said);

#endif
