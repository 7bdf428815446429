// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "instance/internal.h"
#include "instance/lock.h"
#include "instance/reloads.h"

/*
 * An open file description's lock can be asked about without being taken, unlike flock(2)'s. Its
 * length in bytes is the daemon's process id, so that the lock and the name of who has it come and go
 * in one. The whole file, which is longer: held by somebody who is no daemon, or not yet.
 */
static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

#define LOCK_TRIES    50
#define LOCK_PAUSE_NS 20000000L

static bool same_file(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

/* The locked file; another daemon may have removed the one opened, so it looks again. */
static int open_locked(const char *path)
{
	for (;;) {
		struct flock lock = whole_file;
		/* nobody else may open it: a lock for reading would keep daemons from starting */
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
			int err = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;

			close(fd);
			return err;
		}
		if (same_file(fd, path))
			return fd;
		close(fd);
	}
}

/* The locked file; -EBUSY: *daemon has it, or, 0, somebody who is about to say so or to be done. */
static int take_lock(const char *path, const char *name, pid_t *daemon)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int fd = open_locked(path);

	*daemon = fd == -EBUSY ? instance_daemon(name) : 0;
	if (fd == -EBUSY && !*daemon)
		nanosleep(&pause, NULL);
	return fd;
}

static int is_locked(const char *name, pid_t daemon, struct error *error)
{
	if (!daemon)
		return error_set(error, -EBUSY,
				 "another process starts instance %s, or tidies up after it; try "
				 "again",
				 name);
	return error_set(error, -EBUSY,
			 "instance %s already has a daemon, process %d; stop that one, or name "
			 "another instance with --instance",
			 name, (int)daemon);
}

int instance_lock(const char *name, struct error *error)
{
	struct flock beyond_pid = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = getpid()};
	char path[INSTANCE_PATH_SIZE];
	int err, fd = -ENOENT;
	pid_t daemon = 0;

	for (int tries = 0; (fd == -ENOENT || (fd == -EBUSY && !daemon)) && tries < LOCK_TRIES;
	     tries++) {
		err = instance_make_directories(INSTANCE_RUN, instance_run_path(path, name, NULL),
						0755, error);
		if (err)
			return err;
		fd = take_lock(instance_run_path(path, name, "lock"), name, &daemon);
	}
	if (fd == -EBUSY)
		return is_locked(name, daemon, error);
	if (fd < 0)
		return error_set(error, fd, "cannot lock %s: %s%s", path, strerror(-fd),
				 fd == -EACCES ? "; run as root" : "");
	/* instead of what a daemon that was killed has left, before this one can be found */
	unlink(instance_run_path(path, name, INSTANCE_HEALTH));
	err = instance_write_reloads(name, &(struct instance_reloads){0});
	if (err)
		error_set(error, err, "cannot write %s: %s",
			  instance_run_path(path, name, INSTANCE_RELOADS), strerror(-err));
	if (!err && fcntl(fd, F_OFD_SETLK, &beyond_pid) < 0)
		err = error_set(error, -errno, "cannot lock %s: %s", path, strerror(errno));
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
	unlink(instance_run_path(path, name, "lock"));
	close(fd);
	rmdir(instance_run_path(path, name, NULL));
	rmdir(INSTANCE_RUN);
}

void instance_tidy(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	int fd;

	if (access(instance_run_path(path, name, "lock"), F_OK) < 0)
		return;
	fd = open_locked(path);
	if (fd >= 0)
		instance_unlock(name, fd);
}

pid_t instance_daemon(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	struct flock lock = whole_file;
	_cleanup_close_ int fd = open(instance_run_path(path, name, "lock"), O_RDONLY | O_CLOEXEC);

	/* as a reader it would collide with the daemon's lock, and only with that */
	lock.l_type = F_RDLCK;
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return (pid_t)lock.l_len; /* 0: up to the end of the file, however long that is */
}

int instance_find_daemon(const char *name, pid_t *daemon, struct error *error)
{
	char path[INSTANCE_PATH_SIZE], unit[INSTANCE_UNIT_SIZE];

	*daemon = instance_daemon(name);
	if (*daemon)
		return 0;
	if (access(instance_run_path(path, name, "lock"), R_OK) < 0 && errno == EACCES)
		return error_set(error, -EACCES,
				 "not permitted to see the daemon of instance %s; run as root",
				 name);
	return error_set(error, -ESRCH,
			 "no daemon of instance %s runs; to start one: systemctl start %s, or "
			 "vxlan-pipeline run --instance %s",
			 name, instance_unit(unit, name), name);
}
