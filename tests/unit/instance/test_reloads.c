// SPDX-License-Identifier: GPL-2.0-only
/* The record of a daemon's reloads: written in place, and read whole or not at all. */
#include <sys/resource.h>

#include "base/fnv.h"
#include "instance/lock.h"
#include "instance/reloads.h"
#include "tests/unit/instance/private_paths.h"

#define DIRECTORY INSTANCE_RUN "/blue"
#define RELOADS   DIRECTORY "/reloads"

static struct instance_reloads some_reloads(void)
{
	struct instance_reloads reloads = {.begun = 7, .ended = 6, .failed = true};

	memset(reloads.why, 'x', sizeof(reloads.why) - 1);
	return reloads;
}

static void reloads_are_kept(void **state)
{
	struct instance_reloads reloads = some_reloads(), expected = some_reloads(), read;
	struct error error;
	struct stat before, after;
	int fd;

	(void)state;
	private_or_skip();
	assert_int_equal(instance_read_reloads("blue", &read), -ENOENT);
	assert_int_equal(instance_write_reloads("blue", &reloads), -ENOENT);
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	assert_int_equal(stat(RELOADS, &before), 0);
	assert_int_equal(instance_write_reloads("blue", &reloads), 0);
	assert_int_equal(instance_read_reloads("blue", &read), 0);
	assert_int_equal(read.begun, expected.begun);
	assert_int_equal(read.ended, expected.ended);
	assert_true(read.failed);
	assert_string_equal(read.why, expected.why);
	/* the next record overwrites it */
	reloads = (struct instance_reloads){.begun = 8, .ended = 8};
	assert_int_equal(instance_write_reloads("blue", &reloads), 0);
	assert_int_equal(instance_read_reloads("blue", &read), 0);
	assert_int_equal(read.begun, 8);
	assert_false(read.failed);
	assert_string_equal(read.why, "");
	assert_int_equal(stat(RELOADS, &after), 0);
	assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
	/* in place: a truncated file would give its space to others */
	assert_int_equal(truncate(RELOADS, after.st_size + 1), 0);
	assert_int_equal(instance_write_reloads("blue", &reloads), 0);
	assert_int_equal(stat(RELOADS, &before), 0);
	assert_int_equal(before.st_size, after.st_size + 1);
	instance_unlock("blue", fd);
	assert_int_equal(instance_read_reloads("blue", &read), -ENOENT);
}

/* The disk takes only a part of the record, here because of a limit on the size of files. */
static void half_a_record(void **state)
{
	struct rlimit limit, all;
	struct instance_reloads reloads = some_reloads();
	int err;

	(void)state;
	private_or_skip();
	mkdir(INSTANCE_RUN, 0755);
	mkdir(DIRECTORY, 0755);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	limit = all;
	limit.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	err = instance_write_reloads("blue", &reloads);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(instance_read_reloads("blue", &reloads), -EBADMSG);
}

/* Each row changes a valid record. A negative `at` counts from the end. */
static void records_that_are_not_whole(void **state)
{
	static const struct {
		const char *sentence;
		int at;
		unsigned char change; /* XORed into that byte */
		int cut;              /* bytes at the end */
		bool summed;          /* with a matching check sum */
		int expected;
	} rows[] = {
		{"nothing is changed", 0, 0, 0, false, 0},
		{"nothing is changed, and the check sum is made anew", 0, 0, 0, true, 0},
		{"another version's layout", 0, 3, 0, true, -EBADMSG},
		{"a counter of the next record", 4, 1, 0, false, -EBADMSG},
		{"a byte of the reason is of the next record", 300, 1, 0, false, -EBADMSG},
		{"the check sum is of another record", -1, 1, 0, false, -EBADMSG},
		{"a byte is missing", 0, 0, 1, false, -EBADMSG},
		{"the file is empty", 0, 0, 10000, false, -EBADMSG},
	};
	int failed = 0;

	(void)state;
	private_or_skip();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct instance_reloads reloads = some_reloads(), untouched = {.begun = 99}, got;
		unsigned char record[4096];
		uint32_t sum;
		ssize_t size;
		char text[64];
		int fd, err;

		mkdir(INSTANCE_RUN, 0755);
		mkdir(DIRECTORY, 0755);
		assert_int_equal(instance_write_reloads("blue", &reloads), 0);
		fd = open(RELOADS, O_RDONLY | O_CLOEXEC);
		size = read(fd, record, sizeof(record));
		assert_true(size > 300 && size < (ssize_t)sizeof(record));
		close(fd);
		record[rows[i].at < 0 ? size + rows[i].at : rows[i].at] ^= rows[i].change;
		sum = fnv1a(record, size - sizeof(sum));
		if (rows[i].summed)
			memcpy(record + size - sizeof(sum), &sum, sizeof(sum));
		make_file(RELOADS, record, rows[i].cut < size ? size - rows[i].cut : 0);
		got = untouched;
		err = instance_read_reloads("blue", &got);
		snprintf(text, sizeof(text), "%s", err ? strerror(-err) : "");
		failed += row_differs(rows[i].sentence, text,
				      rows[i].expected ? strerror(-rows[i].expected) : "");
		if (err)
			assert_memory_equal(&got, &untouched, sizeof(got));
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PRIVATE_TEST(reloads_are_kept),
		PRIVATE_TEST(half_a_record),
		PRIVATE_TEST(records_that_are_not_whole),
	};

	return cmocka_run_group_tests(tests, private_enter, NULL);
}
