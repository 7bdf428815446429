// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "instance/daemon.h"
#include "instance/internal.h"
#include "instance/pins_lock.h"

#define APART_TRIES    3
#define APART_PAUSE_NS 20000000L

#define OPEN_TRIES 10 /* each finds a daemon that has just ended */

/* `process`: "self", or a process id. Returns 0 if /proc does not tell. */
static uint64_t pid_namespace_of(const char *process)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%s/ns/pid", process);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

struct instance_daemon instance_this_daemon(void)
{
	return (struct instance_daemon){.place = DAEMON_HERE,
					.pid = getpid(),
					.pid_namespace = pid_namespace_of("self"),
					.seen_as = getpid()};
}

static bool same_daemon(const struct instance_daemon *a, const struct instance_daemon *b)
{
	return a->place == b->place && a->apart == b->apart && a->pid == b->pid &&
	       a->pid_namespace == b->pid_namespace;
}

/*
 * Looks at the lock in INSTANCE_RUN, whose range names its holder (lock.c). False: nobody holds
 * it.
 */
static bool see_by_lock(const char *name, struct instance_daemon *daemon)
{
	char path[INSTANCE_PATH_SIZE];
	/* a read lock would conflict with the daemon's lock, but not with that of another reader */
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	_cleanup_close_ int fd =
		open(instance_run_path(path, name, INSTANCE_LOCK), O_RDONLY | O_CLOEXEC);
	uint64_t here = pid_namespace_of("self");

	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return false;
	if (!lock.l_len)
		return true;
	daemon->pid = (pid_t)lock.l_len;
	daemon->pid_namespace = (uint64_t)lock.l_start;
	daemon->place = here && here == daemon->pid_namespace ? DAEMON_HERE : DAEMON_FOREIGN;
	return true;
}

/* Looks at the lock of the pins. False: nobody holds it. */
static bool see_by_pins(const char *name, struct instance_daemon *daemon)
{
	uint64_t here = pid_namespace_of("self");
	char process[16];

	if (!instance_pins_locked(name, &daemon->seen_as))
		return false;
	daemon->place = DAEMON_FOREIGN;
	daemon->apart = true;
	if (!daemon->seen_as)
		return true;
	snprintf(process, sizeof(process), "%d", (int)daemon->seen_as);
	daemon->pid_namespace = pid_namespace_of(process);
	if (here && here == daemon->pid_namespace) {
		daemon->place = DAEMON_HERE;
		daemon->pid = daemon->seen_as;
	}
	return true;
}

void instance_see_daemon(const char *name, struct instance_daemon *daemon)
{
	const struct timespec pause = {.tv_nsec = APART_PAUSE_NS};

	/* a daemon that starts or ends holds only one of its locks for a moment */
	for (int tries = 0; tries < APART_TRIES; tries++) {
		memset(daemon, 0, sizeof(*daemon));
		if (see_by_lock(name, daemon)) {
			if (daemon->place == DAEMON_HERE)
				daemon->seen_as = daemon->pid;
			else if (daemon->place == DAEMON_FOREIGN)
				instance_pins_locked(name, &daemon->seen_as);
			return;
		}
		if (!see_by_pins(name, daemon))
			return;
		nanosleep(&pause, NULL);
	}
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
	const char *apart = daemon->apart ? " with another /run" : "";
	char process[24] = "a process", seen[40] = "";

	if (daemon->pid)
		snprintf(process, sizeof(process), "process %d", (int)daemon->pid);
	if (daemon->seen_as)
		snprintf(seen, sizeof(seen), " here it is process %d", (int)daemon->seen_as);
	if (daemon->place == DAEMON_HERE)
		snprintf(text, DAEMON_TEXT_SIZE, "%s%s", process, apart);
	else if (daemon->pid_namespace)
		snprintf(text, DAEMON_TEXT_SIZE,
			 "%s of another PID namespace, pid:[%" PRIu64 "]%s (in a container?%s)",
			 process, daemon->pid_namespace, apart, seen);
	else
		snprintf(text, DAEMON_TEXT_SIZE,
			 "%s of a PID namespace that is not known%s (in a container?%s)", process,
			 apart, seen);
	return text;
}

/* Writes how to run the command where the daemon is. Returns `text`. */
static const char *format_way(const char *name, const char *command,
			      const struct instance_daemon *daemon, char *text, size_t size)
{
	if (daemon->seen_as)
		snprintf(text, size, "nsenter --target %d --all vxlan-pipeline %s --instance %s",
			 (int)daemon->seen_as, command, name);
	else
		snprintf(text, size,
			 "run `vxlan-pipeline %s --instance %s` there, or on the host, which says "
			 "how",
			 command, name);
	return text;
}

/* Says where to run the command instead; returns -EXDEV. */
static int daemon_is_foreign(const char *name, const char *command,
			     const struct instance_daemon *daemon, struct error *error)
{
	char text[DAEMON_TEXT_SIZE], way[192], unit[INSTANCE_UNIT_SIZE];

	instance_daemon_text(daemon, text);
	if (!pid_namespace_of("self"))
		return error_set(
			error, -EXDEV,
			"the daemon of instance %s is not signalled, as /proc, which tells "
			"PID namespaces, is not there; mount -t proc proc /proc",
			name);
	if (!daemon->pid_namespace && !daemon->apart)
		return error_set(error, -EXDEV,
				 "the daemon of instance %s is %s, and is not signalled: it is of "
				 "another version, or has no /proc; systemctl restart %s",
				 name, text, instance_unit(unit, name));
	return error_set(error, -EXDEV,
			 "the daemon of instance %s is %s, and is not signalled from here; %s",
			 name, text, format_way(name, command, daemon, way, sizeof(way)));
}

/*
 * Opens a pidfd, then finds the daemon again: if it is the same, it was alive all the time, and the
 * pidfd is of its process.
 */
static int open_pidfd(const char *name, const struct instance_daemon *daemon)
{
	int fd = (int)syscall(SYS_pidfd_open, daemon->pid, 0);
	struct instance_daemon now;

	if (fd < 0)
		return errno == ESRCH ? -EAGAIN : -errno;
	instance_see_daemon(name, &now);
	if (same_daemon(&now, daemon))
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
