// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/output.h"
#include "base/printable.h"

#define TEXT_SIZE 1024
#define LINE_SIZE (TEXT_SIZE + 32) /* with what goes before the text */

#define PATIENCE_MS \
	100 /* for the reader of stderr; none after a line was lost, until one gets out */

static enum log_level threshold = LOG_LEVEL_INFO;
static unsigned long lost; /* lines since the last one that got out */

static const struct {
	const char *name;
	int priority; /* as in syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error: ", 3},
	[LOG_LEVEL_WARNING] = {"warning: ", 4},
	[LOG_LEVEL_INFO] = {"", 6},
	[LOG_LEVEL_DEBUG] = {"debug: ", 7},
};

void log_set_level(enum log_level level)
{
	threshold = level;
}

/* Makes a line of the message, with its prefix. Returns the length. */
static size_t log_format(char *line, enum log_level level, const char *text)
{
	int length;

	if (getenv("JOURNAL_STREAM"))
		length = snprintf(line, LINE_SIZE, "<%d>%s\n", levels[level].priority, text);
	else
		length = snprintf(line, LINE_SIZE, "vxlan-pipeline: %s%s\n", levels[level].name,
				  text);
	return (size_t)length;
}

static bool log_put(const char *line, size_t length)
{
	return output_write(STDERR_FILENO, line, length, lost ? 0 : PATIENCE_MS) == 0;
}

/* Writes the line, and before it how many were lost. */
static void log_take(const char *line, size_t length)
{
	char text[TEXT_SIZE], before[LINE_SIZE];

	if (lost) {
		snprintf(text, sizeof(text), "%lu lines of the log were lost: nobody read them",
			 lost);
		if (log_put(before, log_format(before, LOG_LEVEL_WARNING, text)))
			lost = 0;
	}
	if (lost || !log_put(line, length))
		lost++;
}

void log_write(enum log_level level, const char *format, ...)
{
	char text[TEXT_SIZE], shown[TEXT_SIZE], line[LINE_SIZE];
	va_list args;

	if (level > threshold)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_take(line, log_format(line, level, printable_copy(shown, sizeof(shown), text)));
}

void log_text(const char *lines)
{
	while (*lines) {
		size_t length = strcspn(lines, "\n");

		length += lines[length] == '\n';
		log_take(lines, length);
		lines += length;
	}
}
