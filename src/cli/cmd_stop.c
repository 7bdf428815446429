// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/datapath.h"
#include "instance/bpffs.h"
#include "instance/daemon.h"
#include "instance/instance.h"
#include "instance/lock.h"
#include "cli/options.h"
#include "net/silence.h"

#define PATIENCE_MS 5000 /* for a daemon to end */

static const char about[] =
	"Ends the instance's daemon, if one runs, detaches the datapath and removes its state.";

/*
 * Asks the daemon to end and waits for that. 0; -ESRCH: none runs; -ETIMEDOUT: *daemon does not end;
 * else -errno and why it is not asked.
 */
static int end_daemon(const char *instance, struct instance_daemon *daemon, int *pidfd,
		      struct error *error)
{
	int err;

	*pidfd = instance_open_daemon(instance, "stop", daemon, error);
	if (*pidfd < 0)
		return *pidfd;
	err = instance_signal_daemon(*pidfd, SIGTERM);
	if (err && err != -ESRCH)
		return error_set(error, err, "process %d, the daemon of instance %s: %s",
				 (int)daemon->pid, instance, strerror(-err));
	return instance_daemon_ends(*pidfd, PATIENCE_MS) ? 0 : -ETIMEDOUT;
}

/* The daemon takes its state along, unless it lingers, was killed before, or does not end. */
static int stop(const char *instance, struct error *error)
{
	_cleanup_close_ int pidfd = -1;
	struct instance_daemon daemon;
	int ended = end_daemon(instance, &daemon, &pidfd, error);
	int err, silenced;

	/* who may not see the daemon may not remove anything either, which is what is told */
	if (ended && ended != -ESRCH && ended != -EACCES && ended != -ETIMEDOUT)
		return ended;
	err = datapath_remove(instance, error);
	if (err && err != -ENOENT)
		return err;
	silenced = silence_end(instance, error);
	/* before the tables: they may belong to the daemon, which removes them when it ends */
	if (ended == -ETIMEDOUT && !instance_daemon_ends(pidfd, 0))
		return error_set(error, -ETIMEDOUT,
				 "detached, but the daemon, process %d, does not end: if it is "
				 "stopped, kill -CONT %d lets it, and else kill -KILL %d, and "
				 "`stop` once more",
				 (int)daemon.pid, (int)daemon.pid, (int)daemon.pid);
	if (silenced)
		return silenced;
	if (err && ended == -ESRCH)
		fprintf(stderr, "vxlan-pipeline: instance %s: there was nothing to stop\n",
			instance);
	instance_tidy(instance);
	return 0;
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

	if (!options_parse(argc, argv, &set, &status))
		return status;
	instance_follow_daemon(instance);
	return stop(instance, &error) ? command_fail(&error) : COMMAND_DONE;
}
