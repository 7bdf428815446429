// SPDX-License-Identifier: GPL-2.0-only
/* Which process is the daemon, as another one sees it, and signals by pidfd. */
#include <poll.h>
#include <sys/file.h>

#include "instance/daemon.h"
#include "instance/lock.h"
#include "instance/pins_lock.h"
#include "tests/unit/instance/private_paths.h"

#define DIRECTORY INSTANCE_RUN "/blue"
#define LOCK      DIRECTORY "/lock"
#define PINNED    INSTANCE_PINS "/blue"

/* Locks so many bytes of the lock file; returns its descriptor. */
static int lock_bytes(off_t first, off_t count)
{
	struct flock bytes = {.l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = first,
			      .l_len = count};
	int fd;

	mkdir(INSTANCE_RUN, 0755);
	mkdir(DIRECTORY, 0755);
	fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &bytes), 0);
	return fd;
}

/* What the locked bytes say, in words. */
static void locked_bytes(void **state)
{
	const struct instance_daemon self = instance_this_daemon();
	const struct {
		const char *sentence;
		off_t first, count;
		enum instance_daemon_place place;
		const char *expected; /* %d: the process id of this test; NULL: no daemon */
	} rows[] = {
		{"the whole file: somebody who does not say yet who it is", 0, 0, DAEMON_NOWHERE,
		 NULL},
		{"up to the end: the same, a moment later", (off_t)self.pid_namespace, 0,
		 DAEMON_NOWHERE, NULL},
		{"as many bytes as the process id, from the namespace's number on",
		 (off_t)self.pid_namespace, getpid(), DAEMON_HERE, "process %d"},
		{"process 1 of another namespace", 4026531000, 1, DAEMON_FOREIGN,
		 "process 1 of another PID namespace, pid:[4026531000] (in a container?)"},
		{"from the first byte on: an earlier version's", 0, 7, DAEMON_FOREIGN,
		 "process 7 of a PID namespace that is not known (in a container?)"},
	};
	int failed = 0;

	(void)state;
	private_or_skip();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[DAEMON_TEXT_SIZE], expected[DAEMON_TEXT_SIZE];
		int fd = lock_bytes(rows[i].first, rows[i].count);
		struct instance_daemon daemon;

		instance_see_daemon("blue", &daemon);
		snprintf(expected, sizeof(expected), rows[i].expected ? rows[i].expected : "",
			 (int)getpid());
		failed += row_differs(rows[i].sentence,
				      rows[i].expected ? instance_daemon_text(&daemon, text) : "",
				      expected);
		assert_int_equal(daemon.place, rows[i].place);
		close(fd);
		instance_see_daemon("blue", &daemon);
		assert_int_equal(daemon.place, DAEMON_NOWHERE);
	}
	assert_int_equal(failed, 0);
}

/* Nobody but a daemon of this PID namespace can be opened; the message says where to go. */
static void opening(void **state)
{
	static const struct {
		const char *sentence;
		off_t first, count;
		int result;
		const char *expected;
	} rows[] = {
		{"of another PID namespace", 4026531000, 1, -EXDEV,
		 "the daemon of instance blue is process 1 of another PID namespace, "
		 "pid:[4026531000] (in a container?), and is not signalled from here; run "
		 "`vxlan-pipeline stop --instance blue` there, or on the host, which says how"},
		{"of an earlier version", 0, 1, -EXDEV,
		 "the daemon of instance blue is process 1 of a PID namespace that is not known "
		 "(in "
		 "a container?), and is not signalled: it is of another version, or has no /proc; "
		 "systemctl restart vxlan-pipeline@blue"},
	};
	struct instance_daemon daemon;
	struct error error;
	int failed = 0;

	(void)state;
	private_or_skip();
	assert_int_equal(instance_open_daemon("blue", "stop", &daemon, &error), -ESRCH);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int fd = lock_bytes(rows[i].first, rows[i].count);

		assert_int_equal(instance_open_daemon("blue", "stop", &daemon, &error),
				 rows[i].result);
		failed += row_differs(rows[i].sentence, error.text, rows[i].expected);
		close(fd);
	}
	assert_int_equal(failed, 0);
}

static pid_t start_daemon(void)
{
	struct error error;
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		if (instance_lock("blue", &error) >= 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void signalling(void **state)
{
	struct instance_daemon daemon;
	struct error error;
	pid_t child;
	int pidfd, status;

	(void)state;
	private_or_skip();
	child = start_daemon();
	pidfd = instance_open_daemon("blue", "stop", &daemon, &error);
	assert_true(pidfd >= 0);
	assert_int_equal(daemon.pid, child);
	assert_false(instance_daemon_ends(pidfd, 0));
	assert_int_equal(instance_signal_daemon(pidfd, SIGTERM), 0);
	assert_true(instance_daemon_ends(pidfd, 5000));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	/* its id may be another process's by now, which the descriptor never means */
	assert_int_equal(instance_signal_daemon(pidfd, SIGTERM), -ESRCH);
	close(pidfd);
}

/* The lock names a process that has ended: no signal for whoever has its id next. */
static void a_process_that_is_gone(void **state)
{
	const struct instance_daemon self = instance_this_daemon();
	struct instance_daemon daemon;
	struct error error;
	int fd, status;
	pid_t child;

	(void)state;
	private_or_skip();
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	fd = lock_bytes((off_t)self.pid_namespace, child);
	assert_int_equal(instance_open_daemon("blue", "stop", &daemon, &error), -EAGAIN);
	close(fd);
}

/* The lock of the pins, of a process that holds no other one. */
static void pins_alone(void **state)
{
	char text[DAEMON_TEXT_SIZE], expected[DAEMON_TEXT_SIZE];
	struct instance_daemon daemon;
	struct error error;
	pid_t holder;
	int fd;

	(void)state;
	private_or_skip();
	assert_false(instance_pins_locked("blue", &holder));
	assert_int_equal(instance_lock_pins("blue", &error), 0);
	assert_int_equal(instance_lock_pins("blue", &error), 0);
	assert_true(instance_pins_locked("blue", &holder));
	instance_see_daemon("blue", &daemon);
	assert_true(daemon.apart);
	if (daemon.place == DAEMON_HERE) { /* where /proc is that of this PID namespace */
		assert_int_equal(holder, getpid());
		snprintf(expected, sizeof(expected), "process %d with another /run", (int)getpid());
		assert_string_equal(instance_daemon_text(&daemon, text), expected);
	}
	/* the lock in INSTANCE_RUN says more */
	fd = lock_bytes(4026531000, 1);
	instance_see_daemon("blue", &daemon);
	assert_false(daemon.apart);
	assert_int_equal(daemon.pid, 1);
	close(fd);
	instance_unlock_pins("blue");
	assert_false(instance_pins_locked("blue", &holder));
	assert_false(exists(INSTANCE_PINS));
}

/* A directory that takes the place of the locked one is locked in its turn. */
static void pins_made_anew(void **state)
{
	struct error error;
	pid_t holder;

	(void)state;
	private_or_skip();
	assert_int_equal(instance_lock_pins("blue", &error), 0);
	assert_int_equal(rmdir(PINNED), 0);
	assert_false(instance_pins_locked("blue", &holder));
	assert_int_equal(instance_lock_pins("blue", &error), 0);
	assert_true(instance_pins_locked("blue", &holder));
	mkdir(PINNED "/link", 0700);
	instance_unlock_pins("blue");
	/* what is pinned stays */
	assert_true(exists(PINNED "/link"));
}

/* Of somebody else, who only looks; and of another daemon. */
static void pins_of_others(void **state)
{
	struct error error;
	int fd;

	(void)state;
	private_or_skip();
	mkdir(INSTANCE_PINS, 0700);
	mkdir(PINNED, 0700);
	fd = open(PINNED, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(instance_lock_pins("blue", &error), -EBUSY);
	assert_non_null(strstr(error.text, "instance blue already has a daemon"));
	assert_non_null(strstr(error.text, "it has locked " PINNED));
	close(fd);
	assert_int_equal(instance_lock_pins("blue", &error), 0);
	instance_unlock_pins("blue");
}

static void pins_that_others_could_exchange(void **state)
{
	struct error error;

	(void)state;
	private_or_skip();
	mkdir(INSTANCE_PINS, 0700);
	assert_int_equal(chmod(INSTANCE_PINS, 0777), 0);
	assert_int_equal(instance_lock_pins("blue", &error), -EPERM);
	assert_non_null(strstr(error.text, INSTANCE_PINS " is not safe"));
	assert_false(exists(PINNED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PRIVATE_TEST(locked_bytes),   PRIVATE_TEST(opening),
		PRIVATE_TEST(signalling),     PRIVATE_TEST(a_process_that_is_gone),
		PRIVATE_TEST(pins_alone),     PRIVATE_TEST(pins_made_anew),
		PRIVATE_TEST(pins_of_others), PRIVATE_TEST(pins_that_others_could_exchange),
	};

	return cmocka_run_group_tests(tests, private_enter, NULL);
}
