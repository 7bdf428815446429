/* SPDX-License-Identifier: GPL-2.0-only */
/* The condition of an instance for a command: as its daemon judges it, or else as the command does. */
#ifndef CLI_JUDGED_H
#define CLI_JUDGED_H

#include "instance/daemon.h"
#include "observe/health.h"

struct judged {
	struct datapath_condition condition;
	struct health health;
	struct instance_daemon daemon;
	bool started; /* the daemon: it has something attached, and keeps it so */
	double pps;
};

/* Takes half a second, unless nothing is attached. 0 or -errno. */
int judge_instance(const char *instance, struct judged *judged, struct error *error);

#endif
