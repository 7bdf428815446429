// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "instance/daemon.h"
#include "instance/internal.h"
#include "instance/lock.h"
#include "instance/reloads.h"

/*
 * The lock belongs to an open file description: unlike one of flock(2), a process can look at it
 * without taking it. Its range names its holder: it begins at the number of the daemon's PID
 * namespace, and its length is the daemon's process id there. So the lock and the name appear and
 * vanish together, and the name needs no space on the disk. A lock of the whole file is held by a
 * process that is not a daemon, or that has not named itself yet.
 */
static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

#define LOCK_TRIES    50
#define LOCK_PAUSE_NS 20000000L

/* Returns the locked file. Tries again if another daemon has removed the file meanwhile. */
static int open_locked(const char *path)
{
	for (;;) {
		struct flock lock = whole_file;
		/* root only: whoever can read the file could lock it, and no daemon could start */
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
			int err = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;

			close(fd);
			return err;
		}
		if (instance_is_file(fd, path))
			return fd;
		close(fd);
	}
}

/* Shrinks the lock of the whole file to the range that names this process. */
static int say_who_has_it(int fd)
{
	const struct instance_daemon self = instance_this_daemon();
	struct flock before = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	struct flock behind = before;

	before.l_len = (off_t)self.pid_namespace; /* 0, if unknown, would mean the whole file */
	behind.l_start = before.l_len + self.pid;
	if ((before.l_len && fcntl(fd, F_OFD_SETLK, &before) < 0) ||
	    fcntl(fd, F_OFD_SETLK, &behind) < 0)
		return -errno;
	return 0;
}

/* Returns the locked file; -EBUSY: *daemon holds it, or a process that has not named itself. */
static int take_lock(const char *path, const char *name, struct instance_daemon *daemon)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int fd = open_locked(path);

	if (fd != -EBUSY)
		return fd;
	instance_see_daemon(name, daemon);
	/* killed, and its child that reads a file holds the lock for a moment */
	if (daemon->place == DAEMON_HERE && kill(daemon->pid, 0) < 0 && errno == ESRCH)
		daemon->place = DAEMON_NOWHERE;
	if (daemon->place == DAEMON_NOWHERE)
		nanosleep(&pause, NULL);
	return fd;
}

static int is_locked(const char *name, const struct instance_daemon *daemon, struct error *error)
{
	char text[DAEMON_TEXT_SIZE];

	if (daemon->place == DAEMON_NOWHERE)
		return error_set(error, -EBUSY,
				 "another process starts instance %s, or tidies up after it; try "
				 "again",
				 name);
	return error_set(error, -EBUSY,
			 "instance %s already has a daemon, %s; stop that one, or name another "
			 "instance with --instance",
			 name, instance_daemon_text(daemon, text));
}

int instance_lock(const char *name, struct error *error)
{
	struct instance_daemon daemon = {.place = DAEMON_NOWHERE};
	char path[INSTANCE_PATH_SIZE];
	int err, fd = -ENOENT;

	for (int tries = 0; (fd == -ENOENT || fd == -EBUSY) && daemon.place == DAEMON_NOWHERE &&
			    tries < LOCK_TRIES;
	     tries++) {
		err = instance_make_directories(INSTANCE_RUN, instance_run_path(path, name, NULL),
						0755, error);
		if (err)
			return err;
		fd = take_lock(instance_run_path(path, name, INSTANCE_LOCK), name, &daemon);
	}
	if (fd == -EBUSY)
		return is_locked(name, &daemon, error);
	if (fd < 0)
		return error_set(error, fd, "cannot lock %s: %s%s", path, strerror(-fd),
				 fd == -EACCES ? "; run as root" : "");
	/* instead of what a daemon that was killed has left, before this one can be found */
	unlink(instance_run_path(path, name, INSTANCE_HEALTH));
	err = instance_write_reloads(name, &(struct instance_reloads){0});
	if (err)
		error_set(error, err, "cannot write %s: %s",
			  instance_run_path(path, name, INSTANCE_RELOADS), strerror(-err));
	if (!err) {
		err = say_who_has_it(fd);
		if (err)
			error_set(error, err, "cannot lock %s: %s", path, strerror(-err));
	}
	if (err) {
		instance_unlock(name, fd);
		return err;
	}
	return fd;
}

void instance_unlock(const char *name, int fd)
{
	char path[INSTANCE_PATH_SIZE];

	unlink(instance_run_path(path, name, INSTANCE_RELOADS));
	unlink(instance_run_path(path, name, INSTANCE_HEALTH));
	/* unlinked while still locked, so that nobody can take a lock that is about to vanish */
	unlink(instance_run_path(path, name, INSTANCE_LOCK));
	close(fd);
	rmdir(instance_run_path(path, name, NULL));
	rmdir(INSTANCE_RUN);
}

void instance_tidy(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	int fd;

	if (access(instance_run_path(path, name, INSTANCE_LOCK), F_OK) < 0)
		return;
	fd = open_locked(path);
	if (fd >= 0)
		instance_unlock(name, fd);
}
