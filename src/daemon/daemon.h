/* SPDX-License-Identifier: GPL-2.0-only */
/* The controller of one instance: start, reload, watch, end. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>

#include "cli/command.h"

struct daemon_options {
	const char *instance;
	const char *config_path; /* NULL: none, the overrides are all there is */
	const struct config_override *overrides;
	size_t override_count;
	unsigned int duration; /* seconds; 0: until a signal comes */
	bool verbose;          /* print the dashboard every monitor.interval */
	bool linger;           /* leave the datapath attached at the end */
};

/* Runs until SIGTERM, SIGINT or the duration ends it; says itself what goes wrong. */
enum command_status daemon_run(const struct daemon_options *options);

#endif
