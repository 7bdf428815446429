// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <string.h>

#include "import/env_file.h"

static const char blanks[] = " \t\r\v\f";

/* Characters that a shell gives a meaning, outside of quotes. */
static const char unquoted_special[] = "$`;&|<>()";

/*
 * Removes the quotes from the value, in place; *end is where it ended. NULL, or why the value
 * cannot be taken literally.
 */
static const char *unquote(char *value, char **end)
{
	char *in = value, *out = value;
	char quote = '\0';

	for (; *in && (quote || !strchr(blanks, *in)); in++) {
		if (quote && *in == quote) {
			quote = '\0';
		} else if (!quote && (*in == '\'' || *in == '"')) {
			quote = *in;
		} else if (*in == '\\' && quote != '\'' && in[1]) {
			*out++ = *++in;
		} else if (quote != '\'' && strchr(quote ? "$`" : unquoted_special, *in)) {
			return *in == '$' || *in == '`'
				       ? "nothing is expanded here: write the value out"
				       : "a shell would not take this as a value: put it in quotes";
		} else {
			*out++ = *in;
		}
	}
	if (quote)
		return "a quote is not closed";
	*end = in;
	if (out < in)
		*out = '\0'; /* before *end, which the caller still reads */
	return NULL;
}

static const char *value_parse(char *value, struct env_line *parsed)
{
	char *end, *rest;
	const char *objection;

	parsed->value = value;
	objection = unquote(value, &end);
	if (objection)
		return objection;
	rest = end + strspn(end, blanks);
	if (*rest && *rest != '#')
		return "more than one word: put the value in quotes";
	*end = '\0';
	return NULL;
}

const char *env_line_parse(char *line, struct env_line *parsed)
{
	struct env_line result = {0};
	char *name = line + strspn(line, blanks);
	size_t length;

	if (!*name || *name == '#') {
		*parsed = result;
		return NULL;
	}
	if (strncmp(name, "export", 6) == 0 && name[6] && strchr(blanks, name[6]))
		name += 6 + strspn(name + 6, blanks);
	length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	if (!length || name[length] != '=')
		return "not of the form NAME=VALUE, without blanks around the '='";
	name[length] = '\0';
	result.name = name;
	result.objection = value_parse(name + length + 1, &result);
	*parsed = result;
	return NULL;
}
