/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Long operations call progress_step() now and then, so that the daemon can beat and answer /healthz
 * meanwhile, and so that it can call them off.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>

#define PROGRESS_EVERY 256 /* items, where there are many: one call after so many */

struct progress {
	bool (*step)(
		void *data); /* returns false to call the operation off; NULL: nobody listens */
	void *data;
};

static inline bool progress_step(const struct progress *progress)
{
	return !progress->step || progress->step(progress->data);
}

#endif
