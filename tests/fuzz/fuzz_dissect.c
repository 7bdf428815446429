// SPDX-License-Identifier: GPL-2.0-only
/* A frame as explain tells it. */
#include "fuzz_dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy of the exact size, so that the sanitizer sees every byte too many that is read */
	uint8_t *frame = malloc(size ? size : 1);

	must(frame, "there is memory");
	memcpy(frame, data, size);
	check_dissection(frame, size, 4789, 1);
	check_dissection(frame, size, 0, 0);
	free(frame);
	return 0;
}
