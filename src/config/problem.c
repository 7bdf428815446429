// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "config/problem.h"

/* Makes room for one more. Doubles, so that the cost grows only with the number of problems. */
static bool list_grow(struct config_problems *problems)
{
	size_t count = problems->count;
	struct config_problem *list;

	if (count & (count - 1) || (count && count < 16))
		return true;
	list = realloc(problems->list, (count ? 2 * count : 16) * sizeof(*list));
	if (!list)
		return false;
	problems->list = list;
	return true;
}

void config_problem_add(struct config_problems *problems, const struct config_said *said,
			const char *path, const char *format, ...)
{
	struct config_problem problem = {.place = said->place, .origin = said->origin};
	va_list args;

	if (problems->count >= CONFIG_MAX_PROBLEMS || !list_grow(problems)) {
		problems->unlisted++;
		return;
	}
	va_start(args, format);
	if (vasprintf(&problem.message, format, args) < 0)
		problem.message = NULL;
	va_end(args);
	problem.path = strdup(path);
	if (!problem.path || !problem.message) {
		free(problem.path);
		free(problem.message);
		problems->unlisted++;
		return;
	}
	problem.order = problems->count;
	problems->list[problems->count++] = problem;
}

static int compare(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int problem_compare(const void *left, const void *right)
{
	const struct config_problem *a = left, *b = right;
	int order = compare(a->place.line, b->place.line);

	if (!order)
		order = compare(a->place.column, b->place.column);
	return order ? order : compare(a->order, b->order);
}

void config_problems_sort(struct config_problems *problems)
{
	if (problems->count)
		qsort(problems->list, problems->count, sizeof(*problems->list), problem_compare);
}

bool config_problems_about(const struct config_problems *problems, const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < problems->count; i++) {
		const char *other = problems->list[i].path;

		if (strncmp(other, path, length) == 0 &&
		    (other[length] == '\0' || strchr(".[", other[length])))
			return true;
	}
	return false;
}

static const char *input_of(const struct config_problems *problems)
{
	return problems->input ? problems->input : "configuration";
}

static void print_problem(const struct config_problems *problems,
			  const struct config_problem *problem, FILE *stream)
{
	printable_print(problem->origin ? problem->origin : input_of(problems), stream);
	if (problem->place.line)
		fprintf(stream, ":%u:%u", problem->place.line, problem->place.column);
	fprintf(stream, ": %s%s%s", problem->path, *problem->path ? ": " : "", problem->message);
}

void config_problems_print(const struct config_problems *problems, FILE *stream)
{
	for (size_t i = 0; i < problems->count; i++) {
		print_problem(problems, &problems->list[i], stream);
		fputc('\n', stream);
	}
	if (problems->unlisted) {
		printable_print(input_of(problems), stream);
		fprintf(stream, ": %zu more problem%s not listed\n", problems->unlisted,
			problems->unlisted == 1 ? " is" : "s are");
	}
}

const char *config_problems_first(const struct config_problems *problems, char *text, size_t size)
{
	FILE *stream = fmemopen(text, size, "w");

	*text = '\0';
	if (!stream)
		return text;
	if (problems->count)
		print_problem(problems, &problems->list[0], stream);
	else
		fputs("no memory", stream);
	fclose(stream); /* terminates the text, which is shortened if it does not fit */
	text[size - 1] = '\0';
	return text;
}

void config_problems_clear(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		free(problems->list[i].path);
		free(problems->list[i].message);
	}
	free(problems->list);
	free(problems->input);
	*problems = (struct config_problems){0};
}

/* Writes one byte of the input; returns how many it took. */
static size_t escape_byte(unsigned char c, char *out)
{
	static const char digits[] = "0123456789abcdef";
	static const char plain[] = "\n\t\r";
	static const char letters[] = "ntr";
	const char *found = c ? strchr(plain, c) : NULL;

	if (c >= ' ' && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	if (found) {
		out[1] = letters[found - plain];
		return 2;
	}
	out[1] = 'x';
	out[2] = digits[c >> 4];
	out[3] = digits[c & 15];
	return 4;
}

const char *config_escape(const char *text, char *buffer)
{
	size_t used = 0;

	/* Leaves room, behind the longest escape, for three dots, a quote and the zero byte. */
	for (; *text && used < CONFIG_QUOTE_SIZE - 10; text++)
		used += escape_byte((unsigned char)*text, buffer + used);
	strcpy(buffer + used, *text ? "..." : "");
	return buffer;
}

const char *config_quote(const char *text, char *buffer)
{
	buffer[0] = '\'';
	config_escape(text, buffer + 1);
	strcat(buffer, "'");
	return buffer;
}
