/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DIFFERENTIAL_H
#define DIFFERENTIAL_H

#include "model.h"

#define MAX_PROCESSES 64
#define MANY_PACKETS  400000 /* that many reach every verdict and event */
#define NO_SCENARIO   UINT64_MAX

struct options {
	uint64_t seed, packets, each, scenario, seconds, processes;
	uint64_t deadline; /* 0: none */
	const char *keep;
	bool model; /* print the model's answers, run nothing */
};

struct sums {
	uint64_t packets, scenarios, disagreements;
	uint64_t verdicts[MODEL_VERDICT_COUNT];
	uint64_t events[MODEL_EVENT_COUNT];
};

/* One configuration after another, each loaded into a sandbox of its own. */
struct trial;

struct trial *trial_new(const struct options *options, struct sums *sums);
/* False: program and model disagree, or something failed; a message has been printed. */
bool trial_run(struct trial *trial, uint64_t number);

#endif
