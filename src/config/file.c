// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "config/file.h"

#define FIRST_SIZE (1 << 16) /* of the buffer, which doubles */
#define STEP_MS    100       /* between two signs of progress */

#define MOST_FILES 65536 /* descriptors to close where a filter forbids close_range(2) */
#define REAP_TRIES 100   /* 1 ms apart, until a killed process is gone */

/* Errors that stand for what the path names; opening or reading a regular file returns none of them. */
#define IS_FIFO   ESPIPE
#define IS_DEVICE ENOTBLK
#define IS_SOCKET ENOTSOCK

/* The bytes read so far. */
struct file_text {
	char *bytes;
	size_t used;
	size_t size;
};

/* Makes room for at least one more byte and a zero byte. 0 or -errno. */
static int file_text_grow(struct file_text *text)
{
	size_t size = text->size ? 2 * text->size : FIRST_SIZE;
	char *larger;

	if (text->used > CONFIG_MAX_FILE_SIZE + sizeof(int)) /* the child's error counts, too */
		return -EFBIG;
	if (text->used + 1 < text->size)
		return 0;
	larger = realloc(text->bytes, size);
	if (!larger)
		return -ENOMEM;
	text->bytes = larger;
	text->size = size;
	return 0;
}

static bool file_is_null(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* Pipes without a name lie on pipefs, FIFOs on the file system of their directory. */
static bool file_is_pipe(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

/* Refuses what is neither a file nor a pipe. stat(2) shows FIFOs and pipes alike: it lets both through. */
static int file_judge(const struct stat *status)
{
	if (S_ISREG(status->st_mode) || S_ISFIFO(status->st_mode) || file_is_null(status))
		return 0;
	if (S_ISDIR(status->st_mode))
		return -EISDIR;
	return S_ISSOCK(status->st_mode) ? -IS_SOCKET : -IS_DEVICE;
}

/* Opens the file without blocking, and says whether it is a pipe. A file descriptor, or -errno. */
static int file_open(const char *path, bool *is_pipe)
{
	struct stat status;
	int fd, err;

	/* before open(2): opening a device may start something, as it does a watchdog or a tape */
	if (stat(path, &status) < 0)
		return -errno;
	err = file_judge(&status);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = fstat(fd, &status) < 0 ? -errno : file_judge(&status);
	*is_pipe = !err && S_ISFIFO(status.st_mode);
	if (*is_pipe && !file_is_pipe(fd))
		err = -IS_FIFO;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Reads the next bytes. 0: end of file. Waits for a pipe until `deadline` (CLOCK_MONOTONIC, ms). */
static ssize_t file_next(int fd, bool is_pipe, int64_t deadline, char *bytes, size_t size)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	for (;;) {
		ssize_t got = read(fd, bytes, size);
		int64_t left = deadline - clock_ms();

		if (got >= 0)
			return got;
		if (errno != EINTR && (errno != EAGAIN || !is_pipe))
			return -errno;
		if (left <= 0 || poll(&ready, 1, (int)left) == 0)
			return -ETIMEDOUT;
	}
}

static int64_t file_deadline(void)
{
	return clock_ms() + CONFIG_FILE_PATIENCE * 1000LL;
}

/* Reads the file in this process. */
static int file_read_here(const char *path, struct file_text *text)
{
	const int64_t deadline = file_deadline();
	bool is_pipe = false;
	_cleanup_close_ int fd = file_open(path, &is_pipe);
	int err = fd < 0 ? fd : 0;
	ssize_t got = 1;

	while (!err && got) {
		err = file_text_grow(text);
		if (err)
			break;
		got = file_next(fd, is_pipe, deadline, text->bytes + text->used,
				text->size - 1 - text->used);
		if (got < 0)
			err = (int)got;
		else
			text->used += (size_t)got;
	}
	return err;
}

static int file_write(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t written = write(fd, at, length);

		if (written < 0 && errno != EINTR)
			return -errno;
		at += written > 0 ? written : 0;
		length -= written > 0 ? (size_t)written : 0;
	}
	return 0;
}

/*
 * Copies the file to `out` and appends the error, an int. Only async-signal-safe calls: this runs in the
 * child of a process with threads.
 */
static void file_copy(const char *path, int out)
{
	static char bytes[FIRST_SIZE];
	const int64_t deadline = file_deadline();
	bool is_pipe = false;
	int fd = file_open(path, &is_pipe), err = fd < 0 ? fd : 0;
	ssize_t got = 1;

	while (!err && got) {
		got = file_next(fd, is_pipe, deadline, bytes, sizeof(bytes));
		err = got < 0 ? (int)got : file_write(out, bytes, (size_t)got);
	}
	/* close(2) may hang, too: call it before the error tells the parent that this is done */
	if (fd >= 0)
		close(fd);
	file_write(out, &err, sizeof(err));
}

/*
 * The child that reads; does not return. It may hang as long as the file system hangs, so it closes
 * every other file first: the instance's lock, the HTTP socket, pipes whose end somebody waits for.
 */
static void file_be_reader(const char *path, int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	if (syscall(SYS_close_range, STDERR_FILENO, ~0U, 0) < 0) {
		for (int fd = STDERR_FILENO; fd < MOST_FILES; fd++)
			close(fd);
	}
	file_copy(path, STDOUT_FILENO);
	_exit(0);
}

/* Reads what the child writes and cuts off the error at its end. */
static int file_collect(int fd, const struct progress *progress, struct file_text *text)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	const int64_t deadline = file_deadline();
	ssize_t got = 1;
	int err;

	while (got) {
		if (!progress_step(progress))
			return -ECANCELED;
		if (clock_ms() > deadline)
			return -ETIMEDOUT;
		err = file_text_grow(text);
		if (err)
			return err;
		if (poll(&ready, 1, STEP_MS) <= 0)
			continue;
		got = read(fd, text->bytes + text->used, text->size - 1 - text->used);
		if (got < 0)
			return -errno;
		text->used += (size_t)got;
	}
	if (text->used < sizeof(err))
		return -EIO; /* somebody killed the child */
	text->used -= sizeof(err);
	memcpy(&err, text->bytes + text->used, sizeof(err));
	return err;
}

/* Kills the child. One that hangs in the kernel stays until the kernel lets it go: do not wait for it. */
static void file_end_reader(pid_t reader)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	kill(reader, SIGKILL);
	for (int tries = 0; tries < REAP_TRIES && waitpid(reader, NULL, WNOHANG) == 0; tries++)
		nanosleep(&pause, NULL);
}

static int file_read_apart(const char *path, const struct progress *progress,
			   struct file_text *text)
{
	int ends[2], err;
	pid_t reader;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* fork() would lock malloc() for the other threads meanwhile */
	reader = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (reader == 0)
		file_be_reader(path, ends[1]);
	err = -errno;
	close(ends[1]);
	if (reader > 0) {
		err = file_collect(ends[0], progress, text);
		file_end_reader(reader);
	}
	close(ends[0]);
	return err;
}

int config_file_read(const char *path, const struct progress *progress, char **text, size_t *length)
{
	struct file_text read = {0};
	int err = progress && progress->step ? file_read_apart(path, progress, &read)
					     : file_read_here(path, &read);

	if (!err)
		err = file_text_grow(&read);
	if (!err && read.used > CONFIG_MAX_FILE_SIZE)
		err = -EFBIG;
	if (err) {
		free(read.bytes);
		return err;
	}
	read.bytes[read.used] = '\0';
	*text = read.bytes;
	*length = read.used;
	return 0;
}

const char *config_file_objection(int err, char *buffer, size_t size)
{
	switch (-err) {
	case EFBIG:
		snprintf(buffer, size, "larger than %u MiB", CONFIG_MAX_FILE_SIZE >> 20);
		break;
	case ETIMEDOUT:
		snprintf(buffer, size, "cannot be read: there was no end of it within %d s",
			 CONFIG_FILE_PATIENCE);
		break;
	case IS_FIFO:
		snprintf(buffer, size,
			 "cannot be read: it is a FIFO, not a file; a pipe may be given as "
			 "/dev/stdin");
		break;
	case IS_DEVICE:
		snprintf(buffer, size, "cannot be read: it is a device, not a file");
		break;
	case IS_SOCKET:
		snprintf(buffer, size, "cannot be read: it is a socket, not a file");
		break;
	default:
		snprintf(buffer, size, "cannot be read: %s", strerror(-err));
	}
	return buffer;
}
