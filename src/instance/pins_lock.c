// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "instance/internal.h"
#include "instance/pins_lock.h"

#define LOCK_TRIES    50
#define LOCK_PAUSE_NS 20000000L

static int pins_lock = -1; /* the locked directory of the instance whose daemon this process is */

static int open_directory(int above, const char *path)
{
	int fd = openat(above, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * An open directory keeps its file system from being unmounted. This one is opened through a copy
 * of the mount that only the descriptor has, so that /sys/fs/bpf can be unmounted. Without
 * CAP_SYS_ADMIN there is no copy.
 */
static int open_to_lock(const char *path)
{
	_cleanup_close_ int tree =
		(int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return tree < 0 ? open_directory(AT_FDCWD, path) : open_directory(tree, ".");
}

/*
 * If the BPF file system was mounted without a mode, every user may make INSTANCE_PINS. Its owner
 * could then replace the directories that root makes in it.
 */
static int check_owner(struct error *error)
{
	struct stat status;

	if (stat(INSTANCE_PINS, &status) < 0 ||
	    (status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH))))
		return 0; /* if it is gone, the caller makes it again */
	return error_set(error, -EPERM,
			 INSTANCE_PINS
			 " is not safe: user %u, whose it is, or others could exchange "
			 "what is pinned there; if no instance runs: rm -r " INSTANCE_PINS,
			 (unsigned int)status.st_uid);
}

static int pins_lock_make_directory(const char *path, struct error *error)
{
	int err = instance_make_directories(INSTANCE_PINS, path, 0700, error);

	if (!err) {
		err = check_owner(error);
		if (err)
			rmdir(path); /* fails if there are pins */
	}
	return err;
}

/* Returns the locked directory; -EBUSY; -EAGAIN: it was removed or replaced; else -errno. */
static int lock_directory(const char *path, struct error *error)
{
	int fd = open_to_lock(path);
	int err = fd < 0 ? fd : 0;

	if (!err && flock(fd, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (err == -ENOENT || (!err && !instance_is_file(fd, path)))
		err = -EAGAIN;
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return error_set(error, err, "cannot lock %s: %s", path, strerror(-err));
}

static int pins_are_locked(const char *name, const char *path, struct error *error)
{
	char process[64] = "";
	pid_t holder;

	if (instance_pins_locked(name, &holder) && holder)
		snprintf(process, sizeof(process), ", process %d,", (int)holder);
	return error_set(error, -EBUSY,
			 "instance %s already has a daemon%s with another " INSTANCE_RUN
			 " than here (in a container?): it has locked %s; stop it there, or name "
			 "another instance with --instance",
			 name, process, path);
}

int instance_lock_pins(const char *name, struct error *error)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	char path[INSTANCE_PATH_SIZE];
	int fd = -EAGAIN;

	instance_pin_path(path, name, NULL);
	if (pins_lock >= 0 && instance_is_file(pins_lock, path))
		return 0;
	for (int tries = 0; (fd == -EAGAIN || fd == -EBUSY) && tries < LOCK_TRIES; tries++) {
		/* instance_pins_locked() takes the lock for a moment, too */
		if (fd == -EBUSY)
			nanosleep(&pause, NULL);
		fd = pins_lock_make_directory(path, error);
		if (!fd)
			fd = lock_directory(path, error);
	}
	if (fd < 0)
		return fd == -EBUSY ? pins_are_locked(name, path, error) : fd;
	if (pins_lock >= 0)
		close(pins_lock);
	pins_lock = fd;
	return 0;
}

void instance_unlock_pins(const char *name)
{
	char path[INSTANCE_PATH_SIZE];

	if (pins_lock < 0)
		return;
	/* before the lock goes, so that nobody locks a directory that is about to vanish */
	rmdir(instance_pin_path(path, name, NULL));
	rmdir(INSTANCE_PINS);
	close(pins_lock);
	pins_lock = -1;
}

/*
 * Does /proc belong to the PID namespace of this process, so that its process ids are valid here?
 */
static bool proc_is_ours(void)
{
	char self[16] = "";

	return readlink("/proc/self", self, sizeof(self) - 1) > 0 && atoi(self) == getpid();
}

/* A line is "1: FLOCK  ADVISORY  WRITE 7 00:1d:5 0 EOF"; locks of invisible processes have none. */
static pid_t find_holder(const struct stat *directory)
{
	_cleanup_fclose_ FILE *file = proc_is_ours() ? fopen("/proc/locks", "re") : NULL;
	unsigned int major, minor;
	char line[256];
	uint64_t inode;
	int pid;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*d: FLOCK ADVISORY WRITE %d %x:%x:%" SCNu64, &pid, &major,
			   &minor, &inode) == 4 &&
		    major == major(directory->st_dev) && minor == minor(directory->st_dev) &&
		    inode == directory->st_ino && pid > 0)
			return pid;
	}
	return 0;
}

bool instance_pins_locked(const char *name, pid_t *holder)
{
	char path[INSTANCE_PATH_SIZE];
	_cleanup_close_ int fd = open_directory(AT_FDCWD, instance_pin_path(path, name, NULL));
	struct stat status;

	*holder = 0;
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return false;
	if (fstat(fd, &status) == 0)
		*holder = find_holder(&status);
	return true;
}
