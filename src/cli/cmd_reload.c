// SPDX-License-Identifier: GPL-2.0-only
/* `reload`: SIGHUP for the daemon, and what came of it. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "instance/instance.h"
#include "instance/lock.h"
#include "instance/reloads.h"
#include "cli/options.h"

#define STEP_MS     20
#define TIMEOUT     60
#define MAX_TIMEOUT 86400

static const char about[] =
	"Has the instance's daemon load its configuration anew, and waits until it is in force as\n"
	"a whole, or refused as a whole; then the one before stays, and the exit status is 1.";

/* Waits for the end of a reload that began after `before` was read. */
static int wait_for_outcome(const char *instance, pid_t daemon,
			    const struct instance_reloads *before, unsigned int timeout,
			    struct error *error)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	const int64_t deadline = clock_ms() + timeout * 1000LL;
	char unit[INSTANCE_UNIT_SIZE];
	struct instance_reloads now = *before;

	for (;;) {
		if (!instance_read_reloads(instance, &now) && now.ended > before->begun)
			break;
		if (instance_daemon(instance) != daemon)
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
		nanosleep(&step, NULL);
	}
	return now.failed ? error_set(error, -EINVAL,
				      "not reloaded: %s; the configuration before stays", now.why)
			  : 0;
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
	struct instance_reloads before;
	enum command_status status;
	struct error error;
	pid_t daemon;
	int err;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	/* in this order: what a daemon finds of another's reloads it clears before it is found */
	if (instance_find_daemon(instance, &daemon, &error))
		return command_fail(&error);
	err = instance_read_reloads(instance, &before);
	if (err) {
		error_set(&error, err,
			  "process %d, the daemon of instance %s, does not say how reloads went%s; "
			  "for a reload all the same: kill -HUP %d",
			  (int)daemon, instance,
			  err == -EBADMSG ? ": it is of another version" : "", (int)daemon);
		return command_fail(&error);
	}
	if (kill(daemon, SIGHUP) < 0) {
		error_set(&error, -errno, "process %d, the daemon of instance %s: %s", (int)daemon,
			  instance, strerror(errno));
		return command_fail(&error);
	}
	return wait_for_outcome(instance, daemon, &before, timeout, &error) ? command_fail(&error)
									    : COMMAND_DONE;
}
