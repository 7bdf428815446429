/* SPDX-License-Identifier: GPL-2.0-only */
/* The controller of one instance: start, reload, watch, end. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

struct daemon_options {
	const char *instance;
	const char *config_path; /* of reloads; NULL: no file, the overrides are all there is */
	const struct config_override *overrides;
	size_t override_count;
	unsigned int duration; /* seconds; 0: until a signal comes */
	bool verbose;          /* print the dashboard every monitor.interval */
	bool wait;             /* for missing interfaces, instead of failing */
	bool linger;           /* leave the datapath attached at the end */
	bool color;            /* in the dashboard */
};

/*
 * Attaches with *config, which it takes over, and runs until a signal or the duration ends it. 0, or
 * -errno; -ERANGE: the configuration asks for more than its interfaces can do.
 */
int daemon_run(const struct daemon_options *options, struct config *config, struct error *error);

#endif
