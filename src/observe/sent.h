/* SPDX-License-Identifier: GPL-2.0-only */
/* What left the datapath, by its counters. */
#ifndef OBSERVE_SENT_H
#define OBSERVE_SENT_H

#include <stdint.h>

#include "bpf/pipeline.h"

/*
 * Frames that the datapath handed over, each fragment one, and their bytes as they left; those passed to the
 * kernel as it got them. Exact, apart from what `lost_packets_total` tells of: frames that were handed over
 * and did not leave.
 */
struct sent {
	uint64_t packets;
	uint64_t bytes;
	uint64_t fragments; /* those of `packets` that are fragments made here */
};

struct sent sent_derive(const struct counters *counters);

#endif
