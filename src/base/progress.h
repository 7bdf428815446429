/* SPDX-License-Identifier: GPL-2.0-only */
/* What takes long tells between its steps that it gets on, so that nobody takes it for a stall. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#define PROGRESS_EVERY 256 /* of what there are many of */

struct progress {
	void (*step)(void *data); /* NULL: nobody wants to know */
	void *data;
};

static inline void progress_step(const struct progress *progress)
{
	if (progress->step)
		progress->step(progress->data);
}

#endif
