/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The far side of the generator: an XDP program (bpf/receive.bpf.c) on an interface that counts and
 * judges stamped packets. It is detached when the process ends.
 */
#ifndef GENERATE_RECEIVER_H
#define GENERATE_RECEIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "generate/latency.h"

struct receiver_options {
	const char *interface;
	int ifindex;
	uint32_t mtu;
	uint16_t port; /* of the tunnel: packets still in it count, too */
	bool pass;     /* hand stamped packets on to the kernel instead of dropping them */
};

/* What was received of one run of a sender. */
struct receiver_report {
	uint64_t packets; /* with duplicates */
	uint64_t bytes;
	uint64_t unique; /* packets without duplicates */
	uint64_t lost;   /* numbers below the highest received number that were not received */
	uint64_t lost_before_first; /* of these: below the lowest received number */
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t encapsulated; /* those of `packets` that were still in the tunnel */
	uint64_t other_runs;   /* stamped packets of another run */
	uint64_t first_fragments;
	uint64_t later_fragments;
	uint64_t other_clock; /* packets timed by another kernel, so without a latency */
	double seconds;       /* from the first to the last timed packet */
	struct latency latency;
};

struct receiver;

/* -EBUSY: the interface carries another program. */
int receiver_open(struct receiver **out, const struct receiver_options *options,
		  struct error *error);
bool receiver_generic(const struct receiver *receiver); /* in generic XDP mode, which is slow */
int receiver_read(const struct receiver *receiver, struct receiver_report *report,
		  struct error *error);
void receiver_close(struct receiver *receiver); /* NULL is allowed */

#endif
