// SPDX-License-Identifier: GPL-2.0-only
/* The directories of pins: made, listed, marked as drained, and removed. */
#include "instance/bpffs.h"
#include "instance/drained.h"
#include "instance/lock.h"
#include "instance/pins.h"
#include "tests/unit/instance/private_paths.h"

#define NAMED_32 "a-name-of-thirty-two-characters-"

/* Makes the directories of these instances, with something in each; NULL ends the list. */
static void pin(const char *const *names)
{
	char path[INSTANCE_PATH_SIZE];

	mkdir(INSTANCE_PINS, 0700);
	for (; *names; names++) {
		assert_int_equal(mkdir(instance_pin_path(path, *names, NULL), 0700), 0);
		assert_int_equal(mkdir(instance_pin_path(path, *names, "generation-1"), 0700), 0);
	}
}

static void pin_one(const char *name)
{
	pin((const char *const[]){name, NULL});
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct names {
	char name[8][INSTANCE_NAME_MAX + 1];
	size_t count;
};

static void take_name(const char *name, void *data)
{
	struct names *names = data;

	assert_true(names->count < COUNT_OF(names->name));
	strcpy(names->name[names->count++], name);
}

static void all_instances(void **state)
{
	static const char *const some[] = {"config", "blue", "b.lue", "losses", NULL};
	struct names names = {.count = 0};

	(void)state;
	private_or_skip();
	instance_each(take_name, &names);
	assert_int_equal(names.count, 0);
	pin(some);
	instance_each(take_name, &names);
	qsort(names.name, names.count, sizeof(names.name[0]), compare_names);
	assert_int_equal(names.count, 3);
	assert_string_equal(names.name[0], "blue");
	assert_string_equal(names.name[1], "config");
	assert_string_equal(names.name[2], "losses");
}

static void not_attached(void **state)
{
	static const struct {
		const char *sentence;
		const char *attached[4];
		const char *name;
		const char *expected;
	} rows[] = {
		{"none is",
		 {NULL},
		 "config",
		 "instance config is not attached; to start it: systemctl start vxlan-pipeline, "
		 "or vxlan-pipeline run --instance config"},
		{"another one is",
		 {"green", NULL},
		 "blue",
		 "instance blue is not attached (attached: green); to start it: systemctl start "
		 "vxlan-pipeline@blue, or vxlan-pipeline run --instance blue"},
		{"another one of the longest name is",
		 {NAMED_32 NAMED_32, NULL},
		 "blue",
		 "instance blue is not attached (attached: " NAMED_32 NAMED_32
		 "); to start it: systemctl start vxlan-pipeline@blue, or vxlan-pipeline run "
		 "--instance blue"},
	};
	int failed = 0;

	(void)state;
	private_or_skip();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error error;

		pin(rows[i].attached);
		assert_int_equal(instance_not_attached(rows[i].name, &error), -ENOENT);
		failed += row_differs(rows[i].sentence, error.text, rows[i].expected);
		instance_remove_tree(INSTANCE_PINS);
	}
	assert_int_equal(failed, 0);
}

/* The message names three of five instances, and no part of a fourth. */
static void more_instances_than_are_told(void **state)
{
	static const char *const some[] = {NAMED_32 "1", NAMED_32 "2", NAMED_32 "3",
					   NAMED_32 "4", NAMED_32 "5", NULL};
	struct error error;
	const char *at;
	size_t told = 0;

	(void)state;
	private_or_skip();
	pin(some);
	assert_int_equal(instance_not_attached("blue", &error), -ENOENT);
	for (at = error.text; (at = strstr(at, NAMED_32)); at += strlen(NAMED_32) + 1) {
		assert_true(at[strlen(NAMED_32)] >= '1' && at[strlen(NAMED_32)] <= '5');
		assert_non_null(strchr(",)", at[strlen(NAMED_32) + 1]));
		told++;
	}
	assert_int_equal(told, 3);
	at = strstr(error.text, "(attached: ") + strlen("(attached: ");
	assert_int_equal(strcspn(at, ")"), 3 * strlen(NAMED_32 "1") + 2 * strlen(", "));
	assert_non_null(strstr(error.text, "; to start it: systemctl start vxlan-pipeline@blue"));
}

/* A daemon runs, but somebody has unmounted the BPF file system (here there is only a tmpfs). */
static void unmounted(void **state)
{
	struct error error;
	char expected[256];
	int fd;

	(void)state;
	private_or_skip();
	fd = instance_lock("blue", &error);
	assert_true(fd >= 0);
	assert_int_equal(instance_not_attached("blue", &error), -ENOENT);
	snprintf(expected, sizeof(expected),
		 "the pinned state of instance blue is gone, as /sys/fs/bpf was unmounted; mount "
		 "-t bpf bpf /sys/fs/bpf, and its daemon, process %d, pins it again",
		 (int)getpid());
	assert_string_equal(error.text, expected);
	instance_unlock("blue", fd);
}

static void draining(void **state)
{
	struct error error;

	(void)state;
	private_or_skip();
	assert_false(instance_is_drained("blue"));
	assert_int_equal(instance_set_drained("blue", true, &error), -ENOENT);
	assert_non_null(strstr(error.text, "instance blue is not attached; to start it"));
	assert_int_equal(instance_set_drained("blue", false, &error), -ENOENT);
	pin((const char *const[]){"blue", "green", NULL});
	for (int times = 0; times < 2; times++) {
		assert_int_equal(instance_set_drained("blue", true, &error), 0);
		assert_true(instance_is_drained("blue"));
		assert_false(instance_is_drained("green"));
	}
	for (int times = 0; times < 2; times++) {
		assert_int_equal(instance_set_drained("blue", false, &error), 0);
		assert_false(instance_is_drained("blue"));
	}
	/* removing the instance ends it */
	assert_int_equal(instance_set_drained("blue", true, &error), 0);
	assert_int_equal(instance_remove_pins("blue", &error), 0);
	pin_one("blue");
	assert_false(instance_is_drained("blue"));
}

static void draining_that_fails(void **state)
{
	struct error error;

	(void)state;
	private_or_skip();
	pin_one("blue");
	make_file(INSTANCE_PINS "/blue/drained", "", 0);
	assert_int_equal(instance_set_drained("blue", false, &error), -ENOTDIR);
	assert_string_equal(error.text,
			    "cannot remove " INSTANCE_PINS "/blue/drained: Not a directory");
}

static bool may_not_see_pins(void)
{
	struct error error;

	if (instance_set_drained("blue", true, &error) != -EACCES ||
	    strcmp(error.text, "not permitted to read the state of instance blue; run as root") !=
		    0)
		return false;
	return instance_remove_pins("blue", &error) == -EACCES &&
	       strcmp(error.text,
		      "cannot remove " INSTANCE_PINS "/blue: Permission denied; run as root") == 0;
}

static void without_privileges(void **state)
{
	(void)state;
	private_or_skip();
	pin_one("blue");
	as_nobody(may_not_see_pins);
	assert_true(exists(INSTANCE_PINS "/blue"));
}

static void removing_trees(void **state)
{
	(void)state;
	private_or_skip();
	assert_int_equal(instance_remove_tree("/run/tree"), -ENOENT);
	mkdir("/run/tree", 0700);
	mkdir("/run/tree/a", 0700);
	mkdir("/run/tree/a/b", 0700);
	make_file("/run/tree/a/b/file", "x", 1);
	make_file("/run/tree/file", "x", 1);
	/* symbolic links are removed, their targets are not */
	mkdir("/run/elsewhere", 0700);
	make_file("/run/elsewhere/file", "x", 1);
	assert_int_equal(symlink("/run/elsewhere", "/run/tree/current"), 0);
	assert_int_equal(symlink("/run/nowhere", "/run/tree/dangling"), 0);
	assert_int_equal(instance_remove_tree("/run/tree"), 0);
	assert_false(exists("/run/tree"));
	assert_true(exists("/run/elsewhere/file"));
}

/* A mount point cannot be removed. */
static void removing_trees_that_stay(void **state)
{
	(void)state;
	private_or_skip();
	mkdir("/run/tree", 0700);
	mkdir("/run/tree/mounted", 0700);
	assert_int_equal(mount("none", "/run/tree/mounted", "tmpfs", 0, ""), 0);
	assert_int_equal(instance_remove_tree("/run/tree"), -EBUSY);
	assert_true(exists("/run/tree/mounted"));
	assert_int_equal(umount("/run/tree/mounted"), 0);
	assert_int_equal(instance_remove_tree("/run/tree"), 0);
}

static void removing_pins(void **state)
{
	struct error error;

	(void)state;
	private_or_skip();
	assert_int_equal(instance_remove_pins("blue", &error), -ENOENT);
	assert_string_equal(error.text,
			    "cannot remove " INSTANCE_PINS "/blue: No such file or directory");
	pin((const char *const[]){"blue", "green", NULL});
	mkdir(INSTANCE_PINS "/blue/generation-1", 0700);
	make_file(INSTANCE_PINS "/blue/generation-1/rules", "", 0);
	assert_int_equal(symlink("generation-1", INSTANCE_PINS "/blue/current"), 0);
	assert_int_equal(instance_remove_pins("blue", &error), 0);
	assert_false(exists(INSTANCE_PINS "/blue"));
	assert_true(exists(INSTANCE_PINS "/green"));
	/* the last instance takes the directory of all instances with it */
	assert_int_equal(instance_remove_pins("green", &error), 0);
	assert_false(exists(INSTANCE_PINS));
}

static void making_pins(void **state)
{
	struct error error = {""};
	struct stat status;

	(void)state;
	private_or_skip();
	assert_false(instance_has_bpffs());
	if (instance_make_pins("blue", &error)) {
		/* a kernel without BPF, or a container that may not mount it */
		assert_non_null(strstr(error.text, "no BPF file system at /sys/fs/bpf and mounting "
						   "it failed: "));
		print_message("SKIPPED: %s\n", error.text);
		skip();
	}
	assert_true(instance_has_bpffs());
	assert_int_equal(stat(INSTANCE_PINS "/blue", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(stat(INSTANCE_PINS, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	/* again, and for another instance: must not mount a second file system */
	assert_int_equal(instance_make_pins("blue", &error), 0);
	assert_int_equal(instance_make_pins("green", &error), 0);
	assert_true(exists(INSTANCE_PINS "/blue"));
	/* a BPF file system accepts directories and symbolic links, as used here */
	assert_int_equal(instance_set_drained("blue", true, &error), 0);
	assert_true(instance_is_drained("blue"));
	assert_int_equal(symlink("generation-1", INSTANCE_PINS "/blue/current"), 0);
	assert_int_equal(instance_remove_pins("blue", &error), 0);
	assert_int_equal(instance_remove_pins("green", &error), 0);
	assert_false(exists(INSTANCE_PINS));
	assert_int_equal(umount(INSTANCE_BPFFS), 0);
	assert_false(instance_has_bpffs());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PRIVATE_TEST(all_instances),
		PRIVATE_TEST(not_attached),
		PRIVATE_TEST(more_instances_than_are_told),
		PRIVATE_TEST(unmounted),
		PRIVATE_TEST(draining),
		PRIVATE_TEST(draining_that_fails),
		PRIVATE_TEST(without_privileges),
		PRIVATE_TEST(removing_trees),
		PRIVATE_TEST(removing_trees_that_stay),
		PRIVATE_TEST(removing_pins),
		PRIVATE_TEST(making_pins),
	};

	return cmocka_run_group_tests(tests, private_enter, NULL);
}
