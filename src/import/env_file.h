/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of the form [export] NAME=VALUE, as shells write them. Quotes, escapes and comments are
 * understood; nothing is ever expanded or run.
 */
#ifndef IMPORT_ENV_FILE_H
#define IMPORT_ENV_FILE_H

#include <stdbool.h>

struct env_line {
	const char *name; /* NULL: a blank line or a comment */
	const char *value;
	/*
	 * Why the value cannot be taken literally, and is as it stands in the file; NULL: it can.
	 */
	const char *objection;
};

/*
 * Parses `line`, which has no newline, in place: the texts of `parsed` point into it. Returns NULL,
 * or what is wrong with the line, and `parsed` is untouched.
 */
const char *env_line_parse(char *line, struct env_line *parsed);

#endif
