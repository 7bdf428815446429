/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What takes long says between its steps that it gets on, so that nobody takes it for a stall, and
 * asks whether it is to go on.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>

#define PROGRESS_EVERY 256 /* of what there are many of */

struct progress {
	bool (*step)(void *data); /* false: not wanted any more; NULL: nobody wants to know */
	void *data;
};

static inline bool progress_step(const struct progress *progress)
{
	return !progress->step || progress->step(progress->data);
}

#endif
