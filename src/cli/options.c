// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/option_value.h"
#include "cli/options.h"

#define FIRST_VALUE 256 /* what getopt_long() returns for row 0 */

static const struct option_row common[] = {
	{'h', "help", NULL, .help = "this text"},
	{'V', "version", NULL, .help = "the version"},
};
#define COMMON_COUNT (sizeof(common) / sizeof(common[0]))
#define ROWS_MAX     (OPTIONS_MAX + COMMON_COUNT)

static size_t options_count(const struct option_set *set)
{
	return set->count + COMMON_COUNT;
}

static const struct option_row *options_row(const struct option_set *set, size_t i)
{
	return i < set->count ? &set->rows[i] : &common[i - set->count];
}

/* The width of "--name ARGUMENT" as --help shows it. */
static int options_row_width(const struct option_row *row)
{
	if (!row->name)
		return 0;
	return (int)(strlen(row->name) + (row->argument ? strlen(row->argument) : 0));
}

static void options_print_row(const struct option_row *row, int width)
{
	const char *line = row->help;

	if (row->letter)
		printf("  -%c, --%s%s", row->letter, row->name, row->argument ? row->argument : "");
	else
		printf("      --%s%s", row->name, row->argument ? row->argument : "");
	printf("%*s  ", width - options_row_width(row), "");
	for (size_t length = strcspn(line, "\n"); line[length]; length = strcspn(line, "\n")) {
		printf("%.*s\n%*s", (int)length, line, width + 10, "");
		line += length + 1;
	}
	printf("%s\n", line);
}

/* Prints each line of the set's usage behind the name of the command. */
static void options_print_usage(const char *command, const char *usage)
{
	const char *before = "Usage:";

	for (;;) {
		const size_t length = strcspn(usage, "\n");

		printf("%s %s%s%.*s\n", before, command, length ? " " : "", (int)length, usage);
		if (!usage[length])
			return;
		usage += length + 1;
		before = "      ";
	}
}

static void options_print_help(const char *command, const struct option_set *set)
{
	bool has_headings = false;
	int width = 0;

	for (size_t i = 0; i < options_count(set); i++) {
		if (options_row_width(options_row(set, i)) > width)
			width = options_row_width(options_row(set, i));
		has_headings |= !options_row(set, i)->name;
	}
	options_print_usage(command, set->usage);
	printf("\n%s\n\n", set->about);
	for (size_t i = 0; i < options_count(set); i++) {
		const struct option_row *row = options_row(set, i);

		if (!row->name) {
			printf("\n%s\n", row->help);
			continue;
		}
		if (has_headings && row == &common[0])
			putchar('\n');
		options_print_row(row, width);
	}
	if (set->after)
		printf("\n%s\n", set->after);
}

/* Translates the table for getopt_long(). `letters` has room for two characters a row. */
static void options_translate(const struct option_set *set, struct option *longs, char *letters)
{
	for (size_t i = 0; i < options_count(set); i++) {
		const struct option_row *row = options_row(set, i);

		if (!row->name)
			continue;
		*longs++ = (struct option){
			.name = row->name,
			.has_arg = row->argument ? required_argument : no_argument,
			.val = FIRST_VALUE + (int)i,
		};
		if (row->letter)
			*letters++ = row->letter;
		if (row->letter && row->argument)
			*letters++ = ':';
	}
	*letters = '\0';
}

/* The index of the row for which getopt_long() returns `answer`. */
static size_t options_find_answer(const struct option_set *set, int answer)
{
	size_t i = 0;

	if (answer >= FIRST_VALUE)
		return (size_t)(answer - FIRST_VALUE);
	while (options_row(set, i)->letter != answer)
		i++;
	return i;
}

/* Ends the command with the status `last`. Returns false, for the parser to return. */
static bool options_end(enum command_status *status, enum command_status last)
{
	*status = last;
	return false;
}

/* Takes one option; false ends the command with *status. */
static bool options_take(const struct option_set *set, const struct option_row *row,
			 const char *called_by, enum command_status *status)
{
	char expected[OPTION_EXPECTED_SIZE];

	if (row == &common[0]) {
		options_print_help(called_by, set);
		return options_end(status, COMMAND_DONE);
	}
	if (row == &common[1]) {
		command_print_version();
		return options_end(status, COMMAND_DONE);
	}
	if (option_value_take(&row->value, optarg) == 0)
		return true;
	return options_end(status, command_usage(set->command, "--%s '%s': %s", row->name, optarg,
						 option_value_expected(&row->value, expected)));
}

static bool options_has(const struct option_set *set, const bool *given, const char *name)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->rows[i].name && strcmp(set->rows[i].name, name) == 0)
			return given[i];
	}
	assert(!"a row of this name");
	return false;
}

/* Do the given options go together? If not, prints why. */
static bool options_check_company(const struct option_set *set, const bool *given,
				  enum command_status *status)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct option_row *row = &set->rows[i];

		if (!given[i])
			continue;
		if (row->needs && !options_has(set, given, row->needs))
			return options_end(status, command_usage(set->command, "--%s needs --%s",
								 row->name, row->needs));
		if (row->without && options_has(set, given, row->without))
			return options_end(status,
					   command_usage(set->command, "--%s does not go with --%s",
							 row->name, row->without));
	}
	return true;
}

bool options_parse(int argc, char **argv, const struct option_set *set, enum command_status *status)
{
	struct option longs[ROWS_MAX + 1] = {0};
	char letters[2 * ROWS_MAX + 1];
	bool given[ROWS_MAX] = {0};
	int answer;

	assert(set->count <= OPTIONS_MAX);
	options_translate(set, longs, letters);
	*status = COMMAND_DONE;
	optind = 0; /* glibc: begin anew */
	while ((answer = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		size_t i;

		if (answer == '?')
			return options_end(status, command_usage_hint(set->command));
		i = options_find_answer(set, answer);
		given[i] = true;
		if (!options_take(set, options_row(set, i), argv[0], status))
			return false;
	}
	if (!set->has_operands && optind < argc)
		return options_end(status, command_usage(set->command, "unexpected argument '%s'",
							 argv[optind]));
	return options_check_company(set, given, status);
}
