/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives tests their own, empty /run and /sys/fs/bpf, which no other process sees. private_enter()
 * is the setup of the group; PRIVATE_TEST() mounts and unmounts both around each test.
 */
#ifndef PRIVATE_PATHS_H
#define PRIVATE_PATHS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instance/instance.h"
#include "tests/unit/unit.h"

static char private_refusal[128]; /* why the mounts failed; empty: they did not */

static inline void private_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		snprintf(private_refusal, sizeof(private_refusal), "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Enters a mount namespace; without privileges, as root of a new user namespace. */
static inline void private_unshare(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS) == 0)
		return;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		snprintf(private_refusal, sizeof(private_refusal), "no mount namespace: %s",
			 strerror(errno));
		return;
	}
	private_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned int)uid);
	private_write("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned int)gid);
	private_write("/proc/self/gid_map", map);
}

static inline void private_mount(const char *path)
{
	if (!*private_refusal && mount("none", path, "tmpfs", 0, "size=64k,mode=755") < 0)
		snprintf(private_refusal, sizeof(private_refusal), "no tmpfs over %s: %s", path,
			 strerror(errno));
}

static inline int private_enter(void **state)
{
	(void)state;
	private_unshare();
	if (!*private_refusal && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		snprintf(private_refusal, sizeof(private_refusal), "mounts stay shared: %s",
			 strerror(errno));
	return 0;
}

static inline int private_begin(void **state)
{
	(void)state;
	private_mount("/run");
	private_mount(INSTANCE_BPFFS);
	return 0;
}

static inline int private_end(void **state)
{
	(void)state;
	if (*private_refusal)
		return 0;
	umount2(INSTANCE_BPFFS, MNT_DETACH);
	umount2("/run", MNT_DETACH);
	return 0;
}

/* First statement of each test that needs the mounts. */
static inline void private_or_skip(void)
{
	if (!*private_refusal)
		return;
	print_message("SKIPPED: %s\n", private_refusal);
	skip();
}

static inline bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static inline void make_file(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_true(write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

/* Runs `act` in a child as an unprivileged user; skips the test if the child cannot become one. */
static inline void as_nobody(bool (*act)(void))
{
	enum { DONE, FAILED, NO_NOBODY };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(NO_NOBODY);
		_exit(act() ? DONE : FAILED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_NOBODY) {
		print_message("SKIPPED: this process cannot become another user\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), DONE);
}

/*
 * Runs `act` in a child, and calls `look` in this process before and after each system call of the
 * child. Returns the result of `act`; skips the test if this machine does not let processes trace.
 */
static inline bool between_system_calls(bool (*act)(void), void (*look)(void *data, pid_t actor),
					void *data)
{
	enum { DONE, FAILED, CANNOT_TRACE };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP))
			_exit(CANNOT_TRACE);
		_exit(act() ? DONE : FAILED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	while (WIFSTOPPED(status)) {
		assert_true(WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGTRAP);
		look(data, child);
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT_TRACE) {
		print_message("SKIPPED: processes cannot be traced here\n");
		skip();
	}
	return WEXITSTATUS(status) == DONE;
}

#define PRIVATE_TEST(test) cmocka_unit_test_setup_teardown(test, private_begin, private_end)

#endif
