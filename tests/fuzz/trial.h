/* SPDX-License-Identifier: GPL-2.0-only */
/* One configuration and its packets; shared by the files trial*.c. */
#ifndef TRIAL_H
#define TRIAL_H

#include "compare.h"
#include "differential.h"
#include "traffic.h"

struct trial_frame {
	size_t length;
	uint8_t bytes[TRAFFIC_MAX_FRAME];
};

/* What the program's counters must be in the end, indexed by the product's numbers. */
struct tally {
	struct hits of_vnis; /* of VNIs that are listed */
	struct hits verdicts[VERDICT_COUNT];
	uint64_t events[EVENT_COUNT];
	struct hits rules[SCENARIO_RULES];
	uint64_t sizes[SIZE_BUCKETS];
	uint64_t size_sum;
	struct hits sent;
	uint64_t fragments;
};

struct trial {
	const struct options *options;
	struct sums *sums;
	uint64_t number;
	struct scenario scenario;
	struct traffic traffic;
	struct model_host host;
	struct model model;
	struct answer answer;
	struct datapath *datapath;
	struct datapath_control control; /* with scenario.known_hops */
	uint32_t path_mtu;               /* of the simulated routes */
	struct datapath_outcome outcome;
	struct tally tally;
	size_t count; /* of the frames so far: fragments depend on earlier ones */
	struct trial_frame frames[];
};

/* Adds the result of a frame's run. */
void trial_tally(struct trial *trial, const struct trial_frame *frame);
/* True: the program's counters equal the tally. False: `why` says which one does not. */
bool trial_counts_right(const struct trial *trial, char why[COMPARE_TEXT]);
/* The configuration as YAML, to be freed; NULL: out of memory. */
char *scenario_text(const struct scenario *scenario);
/* Prints the disagreement about the last frame. */
void trial_report(const struct trial *trial, const char *why);
/* Writes configuration and frames to files; prints the command that shows the disagreement. */
void trial_keep(const struct trial *trial);
/* Prints configuration, frames and the model's answers as one line of JSON. */
bool trial_print_model(struct trial *trial);

#endif
