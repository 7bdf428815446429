/* SPDX-License-Identifier: GPL-2.0-only */
/* Which frame size belongs in which bucket of the datapath's histogram, and the bounds to print. */
#ifndef DATAPATH_HISTOGRAM_H
#define DATAPATH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/pipeline.h"

enum histogram_size_bucket {
#define X(bound) HISTOGRAM_UP_TO_##bound,
	SIZE_BOUNDS(X)
#undef X
		HISTOGRAM_SIZE_BOUNDS
};

/* histogram_size_bound[n] is the bound of bucket n, in bytes; the bucket behind them has none. */
extern const uint32_t histogram_size_bound[HISTOGRAM_SIZE_BOUNDS];

/* Fills struct pipeline_config.size_bucket. */
void histogram_fill_slots(uint8_t slots[SIZE_SLOTS]);

#endif
