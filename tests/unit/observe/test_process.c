// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel says of this process, and of none. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "observe/process.h"
#include "tests/unit/unit.h"

static void this_process(void **state)
{
	struct process_usage before, after;
	struct rlimit limit;
	int fd;

	(void)state;
	/* a name that looks like the columns behind it */
	assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (b 7"), 0);
	assert_int_equal(process_read_usage(getpid(), &before), 0);
	fd = open("/dev/null", O_RDONLY);
	assert_true(fd >= 0);
	for (clock_t begun = clock(); clock() - begun < CLOCKS_PER_SEC / 10;)
		;
	assert_int_equal(process_read_usage(getpid(), &after), 0);
	close(fd);
	assert_int_equal(after.open_fds, before.open_fds + 1);
	assert_true(after.cpu_seconds >= before.cpu_seconds + 0.05);
	assert_true(after.resident_bytes > 65536 && after.resident_bytes < after.virtual_bytes);
	assert_true(after.started_at == before.started_at);
	assert_true(after.started_at <= time(NULL) + 1 && after.started_at > time(NULL) - 600);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(after.max_fds, limit.rlim_cur == RLIM_INFINITY ? 0 : limit.rlim_cur);
}

static void no_process(void **state)
{
	struct process_usage usage;

	(void)state;
	assert_int_equal(process_read_usage(0x3fffffff, &usage), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(this_process),
					   cmocka_unit_test(no_process)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
