// SPDX-License-Identifier: GPL-2.0-only
#include "datapath/histogram.h"

const uint32_t histogram_size_bound[HISTOGRAM_SIZE_BOUNDS] = {
#define X(bound) bound,
	SIZE_BOUNDS(X)
#undef X
};

_Static_assert(HISTOGRAM_SIZE_BOUNDS < SIZE_BUCKETS, "the last bucket has no bound");

void histogram_fill_slots(uint8_t slots[SIZE_SLOTS])
{
	for (size_t slot = 0; slot < SIZE_SLOTS; slot++) {
		slots[slot] = 0;
		for (size_t i = 0; i < HISTOGRAM_SIZE_BOUNDS; i++)
			slots[slot] += SIZE_STEP * slot + 1 > histogram_size_bound[i];
	}
}
