// SPDX-License-Identifier: GPL-2.0-only
/* Names, paths and directories of instances. */
#include "instance/internal.h"
#include "tests/unit/instance/private_paths.h"

#define SIXTEEN   "abcdefgh-IJKL_09"
#define SIXTYFOUR SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static void names(void **state)
{
	static const struct {
		const char *sentence;
		const char *name;
		bool valid;
	} rows[] = {
		{"the default", "config", true},
		{"a letter", "a", true},
		{"letters, digits, '-' and '_'", "Blue-2_x", true},
		{"nothing but digits", "007", true},
		{"a name that looks like an option", "-x", true},
		{"as long as it may be", SIXTYFOUR, true},
		{"a letter longer", SIXTYFOUR "a", false},
		{"nothing", "", false},
		{"a dot", "a.b", false},
		{"the directory itself", ".", false},
		{"the one above", "..", false},
		{"a path", "a/b", false},
		{"a path upwards", "../a", false},
		{"a blank", "a b", false},
		{"the end of a line", "a\n", false},
		{"a character special to shells", "a;b", false},
		{"a character special to systemd", "a@b", false},
		{"a letter of two bytes", "\xc3\xbc", false},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		failed += row_differs(rows[i].sentence,
				      instance_name_valid(rows[i].name) ? "valid" : "not valid",
				      rows[i].valid ? "valid" : "not valid");
	assert_int_equal(failed, 0);
}

static void paths(void **state)
{
	static const struct {
		const char *sentence;
		const char *name;
		const char *below; /* NULL: the directory itself */
		const char *unit;
		const char *pins;
		const char *run;
	} rows[] = {
		{"the default has the unit without a name", "config", NULL, "vxlan-pipeline",
		 "/sys/fs/bpf/vxlan-pipeline/config", "/run/vxlan-pipeline/config"},
		{"others are instances of it", "blue", "lock", "vxlan-pipeline@blue",
		 "/sys/fs/bpf/vxlan-pipeline/blue/lock", "/run/vxlan-pipeline/blue/lock"},
		{"also one that begins like the default", "config2", "a/b",
		 "vxlan-pipeline@config2", "/sys/fs/bpf/vxlan-pipeline/config2/a/b",
		 "/run/vxlan-pipeline/config2/a/b"},
		{"the longest name is not cut", SIXTYFOUR, "generation-4294967295/next_hops",
		 "vxlan-pipeline@" SIXTYFOUR,
		 "/sys/fs/bpf/vxlan-pipeline/" SIXTYFOUR "/generation-4294967295/next_hops",
		 "/run/vxlan-pipeline/" SIXTYFOUR "/generation-4294967295/next_hops"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char unit[INSTANCE_UNIT_SIZE], path[INSTANCE_PATH_SIZE];

		failed += row_differs(rows[i].sentence, instance_unit(unit, rows[i].name),
				      rows[i].unit);
		failed += row_differs(rows[i].sentence,
				      instance_pin_path(path, rows[i].name, rows[i].below),
				      rows[i].pins);
		failed += row_differs(rows[i].sentence,
				      instance_run_path(path, rows[i].name, rows[i].below),
				      rows[i].run);
	}
	assert_int_equal(failed, 0);
}

static void directories(void **state)
{
	struct error error = {""};
	struct stat status;

	(void)state;
	private_or_skip();
	umask(0);
	assert_int_equal(instance_make_directories("/run/above", "/run/above/it", 0710, &error), 0);
	assert_int_equal(stat("/run/above/it", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0710);
	/* existing directories are no error */
	assert_int_equal(instance_make_directories("/run/above", "/run/above/it", 0700, &error), 0);
	assert_int_equal(instance_make_directories("/run/above", "/run/above/its", 0700, &error),
			 0);
	assert_string_equal(error.text, "");
	/* retries end */
	assert_int_equal(instance_make_directories("/run/no/above", "/run/no/above/it", 0700,
						   &error),
			 -ENOENT);
	assert_string_equal(error.text, "cannot create /run/no/above: No such file or directory");
}

static bool may_not_make_directories(void)
{
	struct error error;

	return instance_make_directories("/run/above", "/run/above/it", 0700, &error) == -EACCES &&
	       strcmp(error.text, "cannot create /run/above: Permission denied; run as root") == 0;
}

static void directories_without_privileges(void **state)
{
	(void)state;
	private_or_skip();
	as_nobody(may_not_make_directories);
}

static bool makes_directories(void)
{
	struct error error;

	return instance_make_directories("/run/above", "/run/above/it", 0700, &error) == 0;
}

/* Removes the upper directory while it is empty, `left` times. */
static void take_away(void *data, pid_t maker)
{
	int *left = data;

	(void)maker;
	if (*left > 0 && rmdir("/run/above") == 0)
		--*left;
}

/* Another instance that ends removes the upper directory before the lower one is made. */
static void directories_that_go_away(void **state)
{
	int left = 3;

	(void)state;
	private_or_skip();
	assert_true(between_system_calls(makes_directories, take_away, &left));
	assert_int_equal(left, 0);
	assert_true(exists("/run/above/it"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(paths),
		PRIVATE_TEST(directories),
		PRIVATE_TEST(directories_without_privileges),
		PRIVATE_TEST(directories_that_go_away),
	};

	return cmocka_run_group_tests(tests, private_enter, NULL);
}
