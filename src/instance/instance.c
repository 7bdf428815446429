// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "base/fnv.h"
#include "instance/instance.h"

bool instance_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > INSTANCE_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("-_", name[i]))
			return false;
	}
	return true;
}

const char *instance_pin_path(char *path, const char *name, const char *below)
{
	snprintf(path, INSTANCE_PATH_SIZE, "%s/%s%s%s", INSTANCE_PINS, name, below ? "/" : "",
		 below ? below : "");
	return path;
}

const char *instance_unit(char *text, const char *name)
{
	bool is_default = strcmp(name, INSTANCE_DEFAULT) == 0;

	snprintf(text, INSTANCE_UNIT_SIZE, "vxlan-pipeline%s%s", is_default ? "" : "@",
		 is_default ? "" : name);
	return text;
}

static const char *run_path(char *path, const char *name, const char *below)
{
	snprintf(path, INSTANCE_PATH_SIZE, "%s/%s%s%s", INSTANCE_RUN, name, below ? "/" : "",
		 below ? below : "");
	return path;
}

static int make_directory(const char *path, mode_t mode, struct error *error)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	return error_set(error, -errno, "cannot create %s: %s%s", path, strerror(errno),
			 errno == EACCES || errno == EPERM ? "; run as root" : "");
}

#define TRIES 10 /* of what another process, as an instance that ends, may undo in between */

static int make_directories(const char *above, const char *path, mode_t mode, struct error *error)
{
	int err = -ENOENT;

	for (int tries = 0; err == -ENOENT && tries < TRIES; tries++) {
		err = make_directory(above, mode, error);
		if (!err)
			err = make_directory(path, mode, error);
	}
	return err;
}

bool instance_has_bpffs(void)
{
	struct statfs fs;

	return statfs(INSTANCE_BPFFS, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static int mount_bpffs(struct error *error)
{
	if (instance_has_bpffs())
		return 0;
	if (mount("bpf", INSTANCE_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
		return 0;
	return error_set(error, -errno,
			 "no BPF file system at %s and mounting it failed: %s; as root: "
			 "mount -t bpf bpf %s",
			 INSTANCE_BPFFS, strerror(errno), INSTANCE_BPFFS);
}

int instance_make_pins(const char *name, struct error *error)
{
	char path[INSTANCE_PATH_SIZE];
	int err = mount_bpffs(error);

	if (!err)
		err = make_directories(INSTANCE_PINS, instance_pin_path(path, name, NULL), 0700,
				       error);
	return err;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

int instance_remove_tree(const char *path)
{
	int result;

	if (access(path, F_OK) < 0)
		return -errno;
	result = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return result < 0 ? -errno : -result;
}

int instance_remove_pins(const char *name, struct error *error)
{
	char path[INSTANCE_PATH_SIZE];
	int err = instance_remove_tree(instance_pin_path(path, name, NULL));

	rmdir(INSTANCE_PINS); /* fails while other instances have state */
	if (err)
		return error_set(error, err, "cannot remove %s: %s%s", path, strerror(-err),
				 err == -EACCES || err == -EPERM ? "; run as root" : "");
	return 0;
}

void instance_each(void (*visit)(const char *name, void *data), void *data)
{
	DIR *directory = opendir(INSTANCE_PINS);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (instance_name_valid(entry->d_name))
			visit(entry->d_name, data);
	}
	if (directory)
		closedir(directory);
}

/* As many as there is room for. */
struct name_list {
	char text[128];
	size_t count;
};

static void list_name(const char *name, void *data)
{
	struct name_list *list = data;
	size_t used = strlen(list->text);

	if (used + strlen(name) + sizeof(", ") > sizeof(list->text))
		return;
	snprintf(list->text + used, sizeof(list->text) - used, "%s%s", list->count++ ? ", " : "",
		 name);
}

int instance_not_attached(const char *name, struct error *error)
{
	char unit[INSTANCE_UNIT_SIZE];
	struct name_list attached = {0};
	pid_t daemon = instance_daemon(name);

	if (daemon && !instance_has_bpffs())
		return error_set(error, -ENOENT,
				 "the pinned state of instance %s is gone, as " INSTANCE_BPFFS
				 " was unmounted; mount -t bpf bpf " INSTANCE_BPFFS
				 ", and its daemon, process %d, pins it again",
				 name, (int)daemon);
	instance_each(list_name, &attached);
	return error_set(error, -ENOENT,
			 "instance %s is not attached%s%s%s; to start it: systemctl start %s, or "
			 "vxlan-pipeline run --instance %s",
			 name, attached.count ? " (attached: " : "", attached.text,
			 attached.count ? ")" : "", instance_unit(unit, name), name);
}

#define DRAINED "drained" /* a directory, which is all that a BPF file system takes beside pins */

int instance_set_drained(const char *name, bool drained, struct error *error)
{
	char path[INSTANCE_PATH_SIZE];
	int result;

	if (access(instance_pin_path(path, name, NULL), F_OK) < 0)
		return errno == ENOENT
			       ? instance_not_attached(name, error)
			       : error_set(error, -errno,
					   "not permitted to read the state of instance %s; run as "
					   "root",
					   name);
	instance_pin_path(path, name, DRAINED);
	result = drained ? mkdir(path, 0700) : rmdir(path);
	if (result == 0 || errno == (drained ? EEXIST : ENOENT))
		return 0;
	return error_set(error, -errno, "cannot %s %s: %s%s", drained ? "create" : "remove", path,
			 strerror(errno), errno == EACCES || errno == EPERM ? "; run as root" : "");
}

bool instance_is_drained(const char *name)
{
	char path[INSTANCE_PATH_SIZE];

	return access(instance_pin_path(path, name, DRAINED), F_OK) == 0;
}

#define RELOADS "reloads"

/* What that file holds, always at its full size. */
struct reloads_record {
	uint32_t layout; /* RECORD_LAYOUT */
	struct instance_reloads reloads;
	uint32_t check; /* of all before it: who reads while it is written sees that by this */
};

#define RECORD_LAYOUT 1 /* another one for each change of the above */

#define RECORD_TRIES 20 /* of a reader, 1 ms apart, until it is whole */

/*
 * An open file description's lock can be asked about without being taken, unlike flock(2)'s. Its
 * length in bytes is the daemon's process id, so that the lock and the name of who has it come and go
 * in one. The whole file, which is longer: held by somebody who is no daemon, or not yet.
 */
static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

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

#define LOCK_TRIES    50
#define LOCK_PAUSE_NS 20000000L

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
		err = make_directories(INSTANCE_RUN, run_path(path, name, NULL), 0755, error);
		if (err)
			return err;
		fd = take_lock(run_path(path, name, "lock"), name, &daemon);
	}
	if (fd == -EBUSY)
		return is_locked(name, daemon, error);
	if (fd < 0)
		return error_set(error, fd, "cannot lock %s: %s%s", path, strerror(-fd),
				 fd == -EACCES ? "; run as root" : "");
	/* instead of what a daemon that was killed has left, before this one can be found */
	err = instance_write_reloads(name, &(struct instance_reloads){0});
	if (err)
		error_set(error, err, "cannot write %s: %s", run_path(path, name, RELOADS),
			  strerror(-err));
	if (!err && fcntl(fd, F_OFD_SETLK, &beyond_pid) < 0)
		err = error_set(error, -errno, "cannot lock %s: %s", path, strerror(errno));
	if (err) {
		instance_unlock(name, fd);
		return err;
	}
	return fd;
}

static uint32_t record_check(const struct reloads_record *record)
{
	return fnv1a(record, offsetof(struct reloads_record, check));
}

int instance_write_reloads(const char *name, const struct instance_reloads *reloads)
{
	char path[INSTANCE_PATH_SIZE];
	_cleanup_close_ int fd =
		open(run_path(path, name, RELOADS), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct reloads_record record;
	ssize_t written;

	if (fd < 0)
		return -errno;
	memset(&record, 0, sizeof(record));
	record.layout = RECORD_LAYOUT;
	memcpy(&record.reloads, reloads, sizeof(*reloads));
	record.check = record_check(&record);
	/* over what is there: that takes no space, of which there may be none left */
	written = pwrite(fd, &record, sizeof(record), 0);
	if (written < 0)
		return -errno;
	return written == (ssize_t)sizeof(record) ? 0 : -ENOSPC;
}

int instance_read_reloads(const char *name, struct instance_reloads *reloads)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	char path[INSTANCE_PATH_SIZE];
	_cleanup_close_ int fd = open(run_path(path, name, RELOADS), O_RDONLY | O_CLOEXEC);
	struct reloads_record record;

	if (fd < 0)
		return -errno;
	for (int tries = 0; tries < RECORD_TRIES; tries++) {
		if (pread(fd, &record, sizeof(record), 0) == (ssize_t)sizeof(record) &&
		    record.layout == RECORD_LAYOUT && record.check == record_check(&record)) {
			memcpy(reloads, &record.reloads, sizeof(*reloads));
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return -EBADMSG;
}

void instance_unlock(const char *name, int fd)
{
	char path[INSTANCE_PATH_SIZE];

	unlink(run_path(path, name, RELOADS));
	/* unlinked while still locked, so that nobody can take a lock that is about to vanish */
	unlink(run_path(path, name, "lock"));
	close(fd);
	rmdir(run_path(path, name, NULL));
	rmdir(INSTANCE_RUN);
}

void instance_tidy(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	int fd;

	if (access(run_path(path, name, "lock"), F_OK) < 0)
		return;
	fd = open_locked(path);
	if (fd >= 0)
		instance_unlock(name, fd);
}

pid_t instance_daemon(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	struct flock lock = whole_file;
	_cleanup_close_ int fd = open(run_path(path, name, "lock"), O_RDONLY | O_CLOEXEC);

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
	if (access(run_path(path, name, "lock"), R_OK) < 0 && errno == EACCES)
		return error_set(error, -EACCES,
				 "not permitted to see the daemon of instance %s; run as root",
				 name);
	return error_set(error, -ESRCH,
			 "no daemon of instance %s runs; to start one: systemctl start %s, or "
			 "vxlan-pipeline run --instance %s",
			 name, instance_unit(unit, name), name);
}
