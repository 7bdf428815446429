// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "instance/instance.h"
#include "cli/options.h"

#define FIRST_VALUE 256 /* what getopt_long() returns for row 0 */

static const struct option_row common[] = {
	{'h', "help", NULL, OPTION_FLAG, NULL, "this text", 0, 0},
	{'V', "version", NULL, OPTION_FLAG, NULL, "the version", 0, 0},
};
#define COMMON_COUNT (sizeof(common) / sizeof(common[0]))

static const struct option_row *row_of(const struct option_set *set, size_t i)
{
	return i < set->count ? &set->rows[i] : &common[i - set->count];
}

/* "--name ARGUMENT" as wide as it is shown */
static int width_of(const struct option_row *row)
{
	return (int)(strlen(row->name) + (row->argument ? strlen(row->argument) : 0));
}

static void print_row(const struct option_row *row, int width)
{
	const char *line = row->help;

	if (row->letter)
		printf("  -%c, --%s%s", row->letter, row->name, row->argument ? row->argument : "");
	else
		printf("      --%s%s", row->name, row->argument ? row->argument : "");
	printf("%*s  ", width - width_of(row), "");
	for (size_t length = strcspn(line, "\n"); line[length]; length = strcspn(line, "\n")) {
		printf("%.*s\n%*s", (int)length, line, width + 10, "");
		line += length + 1;
	}
	printf("%s\n", line);
}

static void print_help(const char *command, const struct option_set *set)
{
	int width = 0;

	printf("Usage: %s %s\n\n%s\n\n", command, set->usage, set->about);
	for (size_t i = 0; i < set->count + COMMON_COUNT; i++) {
		if (width_of(row_of(set, i)) > width)
			width = width_of(row_of(set, i));
	}
	for (size_t i = 0; i < set->count + COMMON_COUNT; i++)
		print_row(row_of(set, i), width);
	if (set->after)
		printf("\n%s\n", set->after);
}

/* False: the argument is wrong, and that was said. */
static bool take(const struct option_row *row, const char *command)
{
	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)row->value = true;
		return true;
	case OPTION_TEXT:
		*(const char **)row->value = optarg;
		return true;
	case OPTION_INSTANCE:
		*(const char **)row->value = optarg;
		if (instance_name_valid(optarg))
			return true;
		command_usage(command, "--%s '%s': only letters, digits, '-' and '_'", row->name,
			      optarg);
		return false;
	case OPTION_COLOR:
		if (command_color_parse(optarg, row->value) == 0)
			return true;
		command_usage(command, "--%s '%s': auto, always or never", row->name, optarg);
		return false;
	case OPTION_NUMBER:
		if (command_parse_number(optarg, row->minimum, row->maximum, row->value) == 0)
			return true;
		command_usage(command, "--%s '%s': not a number from %u to %u", row->name, optarg,
			      row->minimum, row->maximum);
		return false;
	}
	return false;
}

/* The table as getopt_long() wants it: `letters` has room for two characters a row. */
static void translate(const struct option_set *set, struct option *longs, char *letters)
{
	for (size_t i = 0; i < set->count + COMMON_COUNT; i++) {
		const struct option_row *row = row_of(set, i);

		longs[i] = (struct option){
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

/* The row that getopt_long()'s answer stands for. */
static const struct option_row *find(const struct option_set *set, int answer)
{
	size_t i = 0;

	if (answer >= FIRST_VALUE)
		return row_of(set, (size_t)(answer - FIRST_VALUE));
	while (row_of(set, i)->letter != answer)
		i++;
	return row_of(set, i);
}

bool options_parse(int argc, char **argv, const struct option_set *set, enum command_status *status)
{
	struct option longs[OPTIONS_MAX + COMMON_COUNT + 1] = {0};
	char letters[2 * (OPTIONS_MAX + COMMON_COUNT) + 1];
	int answer;

	assert(set->count <= OPTIONS_MAX);
	translate(set, longs, letters);
	*status = COMMAND_DONE;
	while ((answer = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_row *row = answer == '?' ? NULL : find(set, answer);

		if (row == &common[0]) {
			print_help(argv[0], set);
			return false;
		}
		if (row == &common[1]) {
			printf("vxlan-pipeline %s\n", VERSION);
			return false;
		}
		if (!row)
			command_usage_hint(set->command);
		if (!row || !take(row, set->command)) {
			*status = COMMAND_USAGE;
			return false;
		}
	}
	if (set->has_operands || optind == argc)
		return true;
	*status = command_usage(set->command, "unexpected argument '%s'", argv[optind]);
	return false;
}
