// SPDX-License-Identifier: GPL-2.0-only
/* Dissects a frame, as `explain` does. */
#include "fuzz_dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy of the exact size, so that the sanitizer notices reads beyond its end */
	uint8_t *frame = malloc(size ? size : 1);

	must(frame, "there is memory");
	memcpy(frame, data, size);
	check_dissection(frame, size, 4789, 1);
	check_dissection(frame, size, 0, 0);
	free(frame);
	return 0;
}
