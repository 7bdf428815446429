// SPDX-License-Identifier: GPL-2.0-only
/* Reading files that are named as a configuration, and things that only look like files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/config.h"
#include "config/file.h"
#include "tests/unit/unit.h"

static char directory[] = "/tmp/test_config_file.XXXXXX";

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int make_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	return fd < 0 ? fd : bind(fd, (void *)&address, sizeof(address));
}

/* Makes a sparse file, which takes no room. */
static int make_large(const char *name, off_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	return fd < 0 || ftruncate(fd, size) < 0 ? -1 : close(fd);
}

static int enter_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chdir(directory))
		return 1;
	write_file("file", "a text\n");
	write_file("empty", "");
	return mkdir("directory", 0700) || mkfifo("fifo", 0600) || symlink("fifo", "link") ||
	       make_socket("socket") || make_large("largest", CONFIG_MAX_FILE_SIZE) ||
	       make_large("larger", CONFIG_MAX_FILE_SIZE + 1);
}

static int remove_directory(void **state)
{
	static const char *const names[] = {"file",   "empty",   "fifo",  "link",
					    "socket", "largest", "larger"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unlink(names[i]);
	return rmdir("directory") || chdir("/") || rmdir(directory);
}

static bool count_step(void *data)
{
	++*(unsigned int *)data;
	return true;
}

static bool give_up(void *data)
{
	(void)data;
	return false;
}

static void kinds(void **state)
{
	static const struct {
		const char *sentence;
		const char *path;
		const char *expected; /* the text, or the objection */
	} rows[] = {
		{"a file", "file", "a text\n"},
		{"an empty one", "empty", ""},
		{"nothing by that name", "none", "cannot be read: No such file or directory"},
		{"a directory", "directory", "cannot be read: Is a directory"},
		{"a FIFO, to which nobody writes", "fifo",
		 "cannot be read: it is a FIFO, not a file; a pipe may be given as /dev/stdin"},
		{"a link to one", "link",
		 "cannot be read: it is a FIFO, not a file; a pipe may be given as /dev/stdin"},
		{"a socket", "socket", "cannot be read: it is a socket, not a file"},
		{"a device without an end", "/dev/zero",
		 "cannot be read: it is a device, not a file"},
		{"a terminal", "/dev/ptmx", "cannot be read: it is a device, not a file"},
		{"what counts as an empty file", "/dev/null", ""},
		{"more than there may be", "larger", "larger than 64 MiB"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows) * 2; i++) {
		const char *path = rows[i / 2].path;
		unsigned int steps = 0;
		struct progress progress = {i % 2 ? count_step : NULL, &steps};
		char *text = NULL, objection[128];
		size_t length;
		int err = config_file_read(path, &progress, &text, &length);

		failed += row_differs(rows[i / 2].sentence,
				      err ? config_file_objection(err, objection, 128) : text,
				      rows[i / 2].expected);
		if (!err)
			free(text);
		assert_int_equal(steps > 0, i % 2);
	}
	assert_int_equal(failed, 0);
}

static void largest(void **state)
{
	unsigned int steps = 0;
	struct progress progress = {count_step, &steps};

	(void)state;
	for (int apart = 0; apart < 2; apart++) {
		char *text;
		size_t length;

		assert_int_equal(config_file_read("largest", apart ? &progress : NULL, &text,
						  &length),
				 0);
		assert_int_equal(length, CONFIG_MAX_FILE_SIZE);
		free(text);
	}
}

/* Pipes without a name, as the shell's <(...). */
static void pipes(void **state)
{
	char path[32], *text;
	size_t length;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_int_equal(write(ends[1], "a text\n", 7), 7);
	close(ends[1]);
	assert_int_equal(config_file_read(path, NULL, &text, &length), 0);
	assert_string_equal(text, "a text\n");
	free(text);
	close(ends[0]);
}

static void given_up(void **state)
{
	const struct progress progress = {give_up, NULL};
	size_t length;
	char *text;

	(void)state;
	assert_int_equal(config_file_read("file", &progress, &text, &length), -ECANCELED);
}

/* Without progress the daemon would be taken for hung while it reads so large a file. */
static void progress_is_told(void **state)
{
	unsigned int steps = 0;
	const struct progress progress = {count_step, &steps};
	struct config_problems problems;
	struct config config;
	FILE *file = fopen("file", "w");

	(void)state;
	fprintf(file, "listen: {interface: ens5}\nnat:\n");
	for (unsigned int i = 0; i < PIPELINE_MAX_RULES; i++)
		fprintf(file,
			"- {match: {source_port: %u, destination_port: %u}, to: 10.0.0.1:1}\n",
			i % 65535 + 1, i / 65535 + 1);
	fclose(file);
	assert_int_equal(config_load(&config, "file", NULL, 0, &progress, &problems), 0);
	assert_int_equal(config.rule_count, PIPELINE_MAX_RULES);
	assert_true(steps >= PIPELINE_MAX_RULES / PROGRESS_EVERY);
	config_problems_clear(&problems);
	config_clear(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(largest),
		cmocka_unit_test(pipes),
		cmocka_unit_test(given_up),
		cmocka_unit_test(progress_is_told),
	};

	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
