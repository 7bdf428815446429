/* SPDX-License-Identifier: GPL-2.0-only */
/* Collects the problems of a configuration. Inside config/ and import/ only; users see config.h. */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "config/config.h"

/* Where a value stands: in the file, or in an override (origin not NULL). */
struct config_said {
	struct config_place place;
	const char *origin;
};

static inline bool config_is_said(const struct config_said *said)
{
	return said->place.line || said->origin;
}

/*
 * Adds one problem. It only counts the problem if memory is short, so that an input never looks
 * better than it is, and after CONFIG_MAX_PROBLEMS, as nobody reads further.
 */
#define CONFIG_MAX_PROBLEMS 100000
void config_problem_add(struct config_problems *problems, const struct config_said *said,
			const char *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Sorts by place; problems of overrides come first. */
void config_problems_sort(struct config_problems *problems);

/* Is there a problem with the key `path`, or below it? */
bool config_problems_about(const struct config_problems *problems, const char *path);

/*
 * Makes text of the input fit for a message: in quotes, everything but printable ASCII escaped,
 * shortened if it is long. Returns `buffer`, which holds CONFIG_QUOTE_SIZE bytes.
 */
#define CONFIG_QUOTE_SIZE 64
const char *config_quote(const char *text, char *buffer);
/* The same without quotes. */
const char *config_escape(const char *text, char *buffer);

#endif
