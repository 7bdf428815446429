/* SPDX-License-Identifier: GPL-2.0-only */
/* A histogram of latencies and its percentiles. No function here does any I/O. */
#ifndef GENERATE_LATENCY_H
#define GENERATE_LATENCY_H

#include <stdint.h>

#include "bpf/latency.h"

/* All zero: empty. Times in nanoseconds. */
struct latency {
	uint64_t bucket[LATENCY_BUCKETS]; /* see bpf/latency.h */
	uint64_t samples;
	uint64_t sum;
	uint64_t minimum;
	uint64_t maximum;
};

/* Adds what was counted apart, on another CPU. `other->samples` may be 0. */
void latency_merge(struct latency *latency, const struct latency *other);
/* The value that `percent` of the samples do not exceed, rounded up by at most 3 %; 0: none. */
uint64_t latency_percentile(const struct latency *latency, double percent);
double latency_mean(const struct latency *latency); /* 0: no samples */

#endif
