// SPDX-License-Identifier: GPL-2.0-only
/* The lock of an instance: one daemon at most, and what a killed daemon leaves behind. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "instance/daemon.h"
#include "instance/lock.h"
#include "instance/reloads.h"
#include "tests/unit/instance/private_paths.h"

#define DIRECTORY INSTANCE_RUN "/blue"
#define LOCK      DIRECTORY "/lock"
#define RELOADS   DIRECTORY "/reloads"

/* The process id; 0: there is none, or none in this PID namespace. */
static pid_t daemon_of(const char *name)
{
	struct instance_daemon daemon;

	instance_see_daemon(name, &daemon);
	return daemon.place == DAEMON_HERE ? daemon.pid : 0;
}

/* Starts a process that holds the lock, and has called `then`, until it is killed. */
static pid_t start_holder(const char *name, bool (*then)(const char *name))
{
	int ready[2];
	struct error error;
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (instance_lock(name, &error) < 0 || !then(name))
			_exit(1);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static bool begin_third_reload(const char *name)
{
	return instance_write_reloads(name, &(struct instance_reloads){.begun = 3, .ended = 2}) ==
	       0;
}

/* In the middle of its third reload. */
static pid_t start_daemon(const char *name)
{
	return start_holder(name, begin_third_reload);
}

static void kill_daemon(pid_t daemon)
{
	int status;

	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
}

static void lock_and_unlock(void **state)
{
	struct instance_reloads reloads;
	struct error error;
	struct instance_daemon daemon;
	int fd;

	(void)state;
	private_or_skip();
	assert_int_equal(daemon_of("blue"), 0);
	assert_int_equal(instance_find_daemon("blue", &daemon, &error), -ESRCH);
	assert_int_equal(daemon.place, DAEMON_NOWHERE);
	assert_string_equal(error.text,
			    "no daemon of instance blue runs; to start one: systemctl start "
			    "vxlan-pipeline@blue, or vxlan-pipeline run --instance blue");
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(daemon_of("blue"), getpid());
	assert_int_equal(instance_find_daemon("blue", &daemon, &error), 0);
	assert_int_equal(daemon.pid, getpid());
	assert_int_equal(instance_read_reloads("blue", &reloads), 0);
	assert_int_equal(reloads.begun, 0);
	instance_unlock("blue", fd);
	assert_int_equal(daemon_of("blue"), 0);
	assert_false(exists(INSTANCE_RUN));
}

static void a_second_daemon(void **state)
{
	struct error error;
	char expected[256];
	pid_t daemon;

	(void)state;
	private_or_skip();
	daemon = start_daemon("blue");
	assert_int_equal(daemon_of("blue"), daemon);
	assert_int_equal(instance_lock("blue", &error), -EBUSY);
	snprintf(expected, sizeof(expected),
		 "instance blue already has a daemon, process %d; stop that one, or name another "
		 "instance with --instance",
		 (int)daemon);
	assert_string_equal(error.text, expected);
	assert_int_equal(daemon_of("blue"), daemon);
	kill_daemon(daemon);
}

static void two_instances(void **state)
{
	int config, blue;
	struct error error;
	pid_t daemon;

	(void)state;
	private_or_skip();
	daemon = start_daemon("green");
	config = instance_lock("config", &error);
	blue = instance_lock("blue", &error);
	assert_true(config >= 0 && blue >= 0);
	instance_unlock("config", config);
	assert_false(exists(INSTANCE_RUN "/config"));
	assert_int_equal(daemon_of("blue"), getpid());
	assert_int_equal(daemon_of("green"), daemon);
	instance_unlock("blue", blue);
	assert_true(exists(INSTANCE_RUN "/green/lock"));
	kill_daemon(daemon);
}

/* The next daemon takes over the files of the killed one, but not its record of reloads. */
static void after_a_daemon_that_was_killed(void **state)
{
	struct instance_reloads reloads;
	struct error error;
	pid_t daemon;
	int fd;

	(void)state;
	private_or_skip();
	daemon = start_daemon("blue");
	kill_daemon(daemon);
	assert_true(exists(LOCK));
	assert_int_equal(daemon_of("blue"), 0);
	assert_int_equal(instance_read_reloads("blue", &reloads), 0);
	assert_int_equal(reloads.begun, 3);
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	assert_int_equal(daemon_of("blue"), getpid());
	assert_int_equal(instance_read_reloads("blue", &reloads), 0);
	assert_int_equal(reloads.begun, 0);
	instance_unlock("blue", fd);
}

static bool leave_a_child(const char *name)
{
	const struct timespec tenth = {.tv_nsec = 100000000};
	pid_t child = fork();

	(void)name;
	if (!child) {
		nanosleep(&tenth, NULL);
		_exit(0);
	}
	return child > 0;
}

/* A child of the killed one still has its lock, for a tenth of a second. */
static void before_its_child_has_ended(void **state)
{
	struct error error;
	pid_t daemon;
	int fd;

	(void)state;
	private_or_skip();
	daemon = start_holder("blue", leave_a_child);
	kill_daemon(daemon);
	assert_int_equal(daemon_of("blue"), daemon);
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	instance_unlock("blue", fd);
}

static void tidying(void **state)
{
	pid_t daemon;

	(void)state;
	private_or_skip();
	instance_tidy("blue"); /* nothing to remove */
	assert_false(exists(INSTANCE_RUN));
	daemon = start_daemon("blue");
	instance_tidy("blue"); /* a daemon runs */
	assert_true(exists(LOCK));
	assert_true(exists(RELOADS));
	assert_int_equal(daemon_of("blue"), daemon);
	kill_daemon(daemon);
	instance_tidy("blue");
	assert_false(exists(INSTANCE_RUN));
}

/* Locks the whole file, as a process does that starts or tidies up. Returns its descriptor. */
static int hold_whole_file(void)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd;

	mkdir(INSTANCE_RUN, 0755);
	mkdir(DIRECTORY, 0755);
	fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
	return fd;
}

static double monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + now.tv_nsec / 1e9;
}

static void nobody_says_who_it_is(void **state)
{
	struct error error;
	double begin;
	int fd;

	(void)state;
	private_or_skip();
	fd = hold_whole_file();
	assert_int_equal(daemon_of("blue"), 0);
	begin = monotonic();
	assert_int_equal(instance_lock("blue", &error), -EBUSY);
	assert_true(monotonic() - begin >= 0.9);
	assert_string_equal(error.text,
			    "another process starts instance blue, or tidies up after it; try "
			    "again");
	close(fd);
}

static void it_is_waited_for(void **state)
{
	const struct timespec pause = {.tv_nsec = 100000000};
	struct error error;
	int held, fd, status;
	pid_t child;

	(void)state;
	private_or_skip();
	held = hold_whole_file();
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		nanosleep(&pause, NULL);
		_exit(0);
	}
	close(held); /* the child still holds it */
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	assert_int_equal(daemon_of("blue"), getpid());
	instance_unlock("blue", fd);
	assert_int_equal(waitpid(child, &status, 0), child);
}

/* Shared by two processes that lock and unlock as fast as they can. */
struct contest {
	int holders; /* now */
	int clashes; /* times that both held the lock, or its holder was not found */
	int errors;  /* failures other than -EBUSY */
	int locks;
};

static void contend(struct contest *contest)
{
	const struct timespec pause = {.tv_nsec = 20000};
	double end = monotonic() + 0.4;

	while (monotonic() < end) {
		struct error error;
		int fd = instance_lock("blue", &error);
		bool clash;

		if (fd < 0) {
			if (fd != -EBUSY)
				__atomic_add_fetch(&contest->errors, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		clash = __atomic_add_fetch(&contest->holders, 1, __ATOMIC_SEQ_CST) != 1 ||
			daemon_of("blue") != getpid();
		nanosleep(&pause, NULL);
		/* nobody has removed the locked file meanwhile */
		if (clash || daemon_of("blue") != getpid())
			__atomic_add_fetch(&contest->clashes, 1, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&contest->holders, 1, __ATOMIC_SEQ_CST);
		instance_unlock("blue", fd);
		__atomic_add_fetch(&contest->locks, 1, __ATOMIC_SEQ_CST);
	}
}

/* Each process removes the file and its directories while the other opens them. */
static void never_two_at_a_time(void **state)
{
	struct contest *contest;
	pid_t child;
	int status;

	(void)state;
	private_or_skip();
	contest = mmap(NULL, sizeof(*contest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	assert_true(contest != MAP_FAILED);
	child = fork();
	assert_true(child >= 0);
	contend(contest);
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(contest->clashes, 0);
	assert_int_equal(contest->errors, 0);
	assert_true(contest->locks > 0);
	assert_false(exists(INSTANCE_RUN));
	munmap(contest, sizeof(*contest));
}

static bool lock_and_unlock_blue(void)
{
	struct error error;
	int fd = instance_lock("blue", &error);

	if (fd < 0)
		return false;
	instance_unlock("blue", fd);
	return true;
}

/* What other processes see while a daemon locks and unlocks. */
struct sight {
	bool found; /* instance_see_daemon() has found the daemon */
	bool stale; /* the daemon was found, and the reloads were those of a killed daemon */
	bool loose; /* the daemon no longer held the lock file, which still existed */
};

static void look(void *data, pid_t daemon)
{
	struct instance_reloads reloads = {.begun = 0};
	bool found = daemon_of("blue") == daemon;
	struct sight *sight = data;

	sight->loose |= sight->found && !found && exists(LOCK);
	sight->found |= found;
	sight->stale |= found && instance_read_reloads("blue", &reloads) == 0 && reloads.begun > 0;
}

static void what_others_see(void **state)
{
	struct sight sight = {.found = false};

	(void)state;
	private_or_skip();
	kill_daemon(start_daemon("blue"));
	assert_true(between_system_calls(lock_and_unlock_blue, look, &sight));
	assert_true(sight.found);
	assert_false(sight.stale);
	assert_false(sight.loose);
}

/* Fills what is left of /run. */
static void fill_up(void)
{
	static const char page[4096];
	int fd = open("/run/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void a_full_disk(void **state)
{
	struct instance_reloads reloads = {.begun = 1, .ended = 1, .why = "none"};
	struct error error;
	int fd;

	(void)state;
	private_or_skip();
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	fill_up();
	/* a running daemon already has the space for its reloads */
	assert_int_equal(instance_write_reloads("blue", &reloads), 0);
	assert_int_equal(instance_read_reloads("blue", &reloads), 0);
	assert_int_equal(reloads.begun, 1);
	instance_unlock("blue", fd);
	fill_up();
	/* a daemon that gets no space does not start, and removes its files */
	assert_int_equal(instance_lock("blue", &error), -ENOSPC);
	assert_string_equal(error.text, "cannot write " RELOADS ": No space left on device");
	assert_false(exists(INSTANCE_RUN));
}

static bool may_not_see_the_daemon(void)
{
	struct error error;
	struct instance_daemon daemon;

	return instance_find_daemon("blue", &daemon, &error) == -EACCES &&
	       strcmp(error.text,
		      "not permitted to see the daemon of instance blue; run as root") == 0;
}

static bool may_not_lock(void)
{
	struct error error;

	return instance_lock("blue", &error) == -EACCES &&
	       strcmp(error.text, "cannot lock " LOCK ": Permission denied; run as root") == 0;
}

static void without_privileges(void **state)
{
	struct error error;
	int fd;

	(void)state;
	private_or_skip();
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	as_nobody(may_not_see_the_daemon);
	as_nobody(may_not_lock);
	instance_unlock("blue", fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PRIVATE_TEST(lock_and_unlock),
		PRIVATE_TEST(a_second_daemon),
		PRIVATE_TEST(two_instances),
		PRIVATE_TEST(after_a_daemon_that_was_killed),
		PRIVATE_TEST(before_its_child_has_ended),
		PRIVATE_TEST(tidying),
		PRIVATE_TEST(nobody_says_who_it_is),
		PRIVATE_TEST(it_is_waited_for),
		PRIVATE_TEST(never_two_at_a_time),
		PRIVATE_TEST(what_others_see),
		PRIVATE_TEST(a_full_disk),
		PRIVATE_TEST(without_privileges),
	};

	return cmocka_run_group_tests(tests, private_enter, NULL);
}
