// SPDX-License-Identifier: GPL-2.0-only
/* `reload`: SIGHUP for the daemon, and what came of it. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "instance/daemon.h"
#include "instance/instance.h"
#include "instance/reloads.h"
#include "cli/options.h"

#define STEP_MS     20
#define TIMEOUT     60
#define MAX_TIMEOUT 86400

static const char about[] =
	"Has the instance's daemon load its configuration anew, and waits until it is in force as\n"
	"a whole, or refused as a whole; then the one before stays, and the exit status is 1.";

/* Waits for the end of a reload that began after `before` was read. */
static int wait_for_outcome(const char *instance, pid_t daemon, int pidfd,
			    const struct instance_reloads *before, unsigned int timeout,
			    struct error *error)
{
	const int64_t deadline = clock_ms() + timeout * 1000LL;
	char unit[INSTANCE_UNIT_SIZE];
	struct instance_reloads now = *before;

	while (instance_read_reloads(instance, &now) || now.ended <= before->begun) {
		if (instance_daemon_ends(pidfd, STEP_MS))
			return error_set(error, -ESRCH, "the daemon, process %d, has ended",
					 (int)daemon);
		if (clock_ms() > deadline && now.begun > before->begun)
			return error_set(error, -ETIMEDOUT,
					 "the reload is still under way after %u s", timeout);
		if (clock_ms() > deadline)
			return error_set(error, -ETIMEDOUT,
					 "no answer from the daemon, process %d, within %u s; it "
					 "reloads as soon as it answers, and if it does not: "
					 "systemctl restart %s",
					 (int)daemon, timeout, instance_unit(unit, instance));
	}
	return now.failed ? error_set(error, -EINVAL,
				      "not reloaded: %s; the configuration before stays", now.why)
			  : 0;
}

static int reload_and_wait(const char *instance, unsigned int timeout, struct error *error)
{
	struct instance_reloads before;
	struct instance_daemon daemon;
	/* in this order: what a daemon finds of another's reloads it clears before it is found */
	_cleanup_close_ int pidfd = instance_open_daemon(instance, "reload", &daemon, error);
	int err = pidfd < 0 ? pidfd : instance_read_reloads(instance, &before);

	if (pidfd < 0)
		return pidfd;
	if (err)
		return error_set(
			error, err,
			"process %d, the daemon of instance %s, does not say how reloads went%s; "
			"for a reload all the same: kill -HUP %d",
			(int)daemon.pid, instance,
			err == -EBADMSG ? ": it is of another version" : "", (int)daemon.pid);
	err = instance_signal_daemon(pidfd, SIGHUP);
	if (err)
		return error_set(error, err, "process %d, the daemon of instance %s: %s",
				 (int)daemon.pid, instance, strerror(-err));
	return wait_for_outcome(instance, daemon.pid, pidfd, &before, timeout, error);
}

enum command_status cmd_reload(int argc, char **argv)
{
	const char *instance = INSTANCE_DEFAULT;
	unsigned int timeout = TIMEOUT;
	const struct option_row rows[] = {
		OPTION_ROW_INSTANCE(&instance),
		{0, "timeout", " S", OPTION_NUMBER(&timeout, 1, MAX_TIMEOUT),
		 .help = "seconds to wait for the outcome (default 60)"},
	};
	const struct option_set set = {
		.command = "reload",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;
	struct error error;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	return reload_and_wait(instance, timeout, &error) ? command_fail(&error) : COMMAND_DONE;
}
