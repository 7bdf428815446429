// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "instance/daemon.h"
#include "instance/internal.h"

#define OPEN_TRIES 10 /* of daemons that end, and others that take their places meanwhile */

/* 0: /proc is not there to tell. */
static uint64_t own_pid_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

struct instance_daemon instance_this_daemon(void)
{
	return (struct instance_daemon){.place = DAEMON_HERE,
					.pid = getpid(),
					.pid_namespace = own_pid_namespace()};
}

void instance_see_daemon(const char *name, struct instance_daemon *daemon)
{
	char path[INSTANCE_PATH_SIZE];
	/* as a reader it would collide with the daemon's lock, and only with that */
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	_cleanup_close_ int fd =
		open(instance_run_path(path, name, INSTANCE_LOCK), O_RDONLY | O_CLOEXEC);

	memset(daemon, 0, sizeof(*daemon));
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK || !lock.l_len)
		return;
	daemon->pid = (pid_t)lock.l_len;
	daemon->pid_namespace = (uint64_t)lock.l_start;
	daemon->place = daemon->pid_namespace && daemon->pid_namespace == own_pid_namespace()
				? DAEMON_HERE
				: DAEMON_FOREIGN;
}

int instance_find_daemon(const char *name, struct instance_daemon *daemon, struct error *error)
{
	char path[INSTANCE_PATH_SIZE], unit[INSTANCE_UNIT_SIZE];

	instance_see_daemon(name, daemon);
	if (daemon->place != DAEMON_NOWHERE)
		return 0;
	if (access(instance_run_path(path, name, INSTANCE_LOCK), R_OK) < 0 && errno == EACCES)
		return error_set(error, -EACCES,
				 "not permitted to see the daemon of instance %s; run as root",
				 name);
	return error_set(error, -ESRCH,
			 "no daemon of instance %s runs; to start one: systemctl start %s, or "
			 "vxlan-pipeline run --instance %s",
			 name, instance_unit(unit, name), name);
}

const char *instance_daemon_text(const struct instance_daemon *daemon, char *text)
{
	if (daemon->place == DAEMON_HERE)
		snprintf(text, DAEMON_TEXT_SIZE, "process %d", (int)daemon->pid);
	else if (daemon->pid_namespace)
		snprintf(text, DAEMON_TEXT_SIZE,
			 "process %d of another PID namespace, pid:[%" PRIu64 "] (a container?)",
			 (int)daemon->pid, daemon->pid_namespace);
	else
		snprintf(text, DAEMON_TEXT_SIZE, "process %d of a PID namespace that is not known",
			 (int)daemon->pid);
	return text;
}

/* Says where the command has to be run; -EXDEV. */
static int daemon_is_foreign(const char *name, const char *command,
			     const struct instance_daemon *daemon, struct error *error)
{
	char text[DAEMON_TEXT_SIZE], unit[INSTANCE_UNIT_SIZE];

	instance_daemon_text(daemon, text);
	if (!daemon->pid_namespace)
		return error_set(error, -EXDEV,
				 "the daemon of instance %s is %s, and is not signalled: it is of "
				 "another version, or has no /proc; systemctl restart %s",
				 name, text, instance_unit(unit, name));
	if (!own_pid_namespace())
		return error_set(
			error, -EXDEV,
			"the daemon of instance %s is not signalled, as /proc, which tells "
			"PID namespaces, is not there; mount -t proc proc /proc",
			name);
	return error_set(error, -EXDEV,
			 "the daemon of instance %s is %s, and is not signalled from here: run "
			 "`vxlan-pipeline %s --instance %s` there; where its processes can be "
			 "seen, lsns %" PRIu64 " names one, and nsenter --target PID --all leads "
			 "there",
			 name, text, command, name, daemon->pid_namespace);
}

/* An open pidfd means a process; that it is the daemon is known when the daemon is seen after that. */
static int open_pidfd(const char *name, const struct instance_daemon *daemon)
{
	int fd = (int)syscall(SYS_pidfd_open, daemon->pid, 0);
	struct instance_daemon now;

	if (fd < 0)
		return errno == ESRCH ? -EAGAIN : -errno;
	instance_see_daemon(name, &now);
	if (now.pid == daemon->pid && now.pid_namespace == daemon->pid_namespace)
		return fd;
	close(fd);
	return -EAGAIN;
}

int instance_open_daemon(const char *name, const char *command, struct instance_daemon *daemon,
			 struct error *error)
{
	int fd = -EAGAIN;

	for (int tries = 0; fd == -EAGAIN && tries < OPEN_TRIES; tries++) {
		int err = instance_find_daemon(name, daemon, error);

		if (err)
			return err;
		if (daemon->place != DAEMON_HERE)
			return daemon_is_foreign(name, command, daemon, error);
		fd = open_pidfd(name, daemon);
	}
	if (fd < 0)
		return error_set(error, fd,
				 "cannot get hold of process %d, the daemon of instance "
				 "%s: %s",
				 (int)daemon->pid, name, strerror(-fd));
	return fd;
}

int instance_signal_daemon(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

bool instance_daemon_ends(int pidfd, int patience_ms)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};

	return poll(&ended, 1, patience_ms) > 0;
}
