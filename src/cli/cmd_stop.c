// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "datapath/datapath.h"
#include "instance/instance.h"
#include "instance/lock.h"
#include "cli/options.h"
#include "net/silence.h"

#define PATIENCE_MS 5000 /* for a daemon to end */
#define STEP_MS     20

static const char about[] =
	"Ends the instance's daemon, if one runs, detaches the datapath and removes its state.";

/* Asks the daemon to end and waits for it; false: it does not. */
static bool end_daemon(const char *instance, pid_t pid)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

	if (!pid || kill(pid, SIGTERM) < 0)
		return true;
	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		if (instance_daemon(instance) != pid)
			return true;
		nanosleep(&step, NULL);
	}
	return false;
}

enum command_status cmd_stop(int argc, char **argv)
{
	const char *instance = INSTANCE_DEFAULT;
	const struct option_row rows[] = {OPTION_ROW_INSTANCE(&instance)};
	const struct option_set set = {
		.command = "stop",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;
	struct error error;
	pid_t daemon;
	bool ended;
	int err;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	daemon = instance_daemon(instance);
	ended = end_daemon(instance, daemon);
	/* the daemon takes its state along, unless it lingers or was killed before */
	err = datapath_remove(instance, &error);
	if (err && err != -ENOENT)
		return command_fail(&error);
	silence_end(instance);
	if (!ended && instance_daemon(instance) == daemon) {
		error_set(&error, -ETIMEDOUT,
			  "detached, but the daemon, process %d, does not end: if it is stopped, "
			  "kill -CONT %d lets it, and else kill -KILL %d",
			  (int)daemon, (int)daemon, (int)daemon);
		return command_fail(&error);
	}
	if (err && !daemon)
		fprintf(stderr, "vxlan-pipeline: instance %s: there was nothing to stop\n",
			instance);
	instance_tidy(instance);
	return COMMAND_DONE;
}
