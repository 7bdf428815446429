/* SPDX-License-Identifier: GPL-2.0-only */
/* One configuration and the packets it is tried with; what the files trial*.c share. */
#ifndef TRIAL_H
#define TRIAL_H

#include "compare.h"
#include "differential.h"
#include "traffic.h"

struct trial_frame {
	size_t length;
	uint8_t bytes[TRAFFIC_MAX_FRAME];
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
	struct datapath_outcome outcome;
	size_t count; /* of the frames so far, of which later ones may be fragments */
	struct trial_frame frames[];
};

/* The configuration as YAML, to be freed; NULL: out of memory. */
char *scenario_text(const struct scenario *scenario);
/* Says what disagrees, of the last frame. */
void trial_report(const struct trial *trial, const char *why);
/* Writes configuration and frames to files, and says how to see them disagree. */
void trial_keep(const struct trial *trial);
/* Prints configuration, frames and what the model says of them as one line of JSON. */
bool trial_print_model(struct trial *trial);

#endif
