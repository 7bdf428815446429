/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs a command with the words of a line, and captures its output. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include <sys/mman.h>
#include <unistd.h>

#include "cli/command.h"
#include "tests/unit/unit.h"

struct command_line_result {
	enum command_status status;
	char out[65536];
	char err[65536];
};

/* A stream that writes to a file in memory for a while. */
struct command_line_catch {
	FILE *stream;
	int file;
	int before; /* a copy of the stream's own descriptor */
};

static inline struct command_line_catch command_line_begin(FILE *stream)
{
	struct command_line_catch caught = {.stream = stream, .file = memfd_create("caught", 0)};

	assert_true(caught.file >= 0);
	fflush(stream);
	caught.before = dup(fileno(stream));
	dup2(caught.file, fileno(stream));
	return caught;
}

static inline void command_line_end(const struct command_line_catch *caught, char *text,
				    size_t size)
{
	ssize_t length;

	fflush(caught->stream);
	dup2(caught->before, fileno(caught->stream));
	length = pread(caught->file, text, size - 1, 0);
	assert_true(length >= 0);
	text[length] = '\0';
	close(caught->before);
	close(caught->file);
}

/* Blanks separate words; the first word is the name that the command is called by. */
static inline const struct command_line_result *
command_line_run(enum command_status (*run)(int argc, char **argv), const char *line)
{
	static struct command_line_result result;
	const struct command_line_catch out = command_line_begin(stdout);
	const struct command_line_catch err = command_line_begin(stderr);
	char copy[256], *argv[24] = {0}, *save = NULL;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	result.status = run(argc, argv);
	command_line_end(&out, result.out, sizeof(result.out));
	command_line_end(&err, result.err, sizeof(result.err));
	return &result;
}

#endif
