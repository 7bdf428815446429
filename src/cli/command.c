// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/printable.h"
#include "cli/command.h"

const char *command_config_path(const char *file, const char *instance, char *buffer, size_t size)
{
	if (file)
		return file;
	snprintf(buffer, size, COMMAND_CONFIG_DIR "/%s.yaml",
		 instance ? instance : INSTANCE_DEFAULT);
	return buffer;
}

enum command_status command_fail(const struct error *error)
{
	fputs("vxlan-pipeline: ", stderr);
	printable_print(error->text, stderr);
	fputc('\n', stderr);
	return COMMAND_FAILED;
}

enum command_status command_usage(const char *command, const char *format, ...)
{
	struct error error;
	va_list args;

	va_start(args, format);
	vsnprintf(error.text, sizeof(error.text), format, args);
	va_end(args);
	fprintf(stderr, "vxlan-pipeline %s: ", command);
	printable_print(error.text, stderr);
	fputc('\n', stderr);
	return command_usage_hint(command);
}

enum command_status command_usage_hint(const char *command)
{
	fprintf(stderr, "Try 'vxlan-pipeline %s --help'.\n", command);
	return COMMAND_USAGE;
}

void command_print_version(void)
{
	printf("vxlan-pipeline %s\n", VERSION);
}

void command_group_help(const struct command_group *group, FILE *stream)
{
	fputs(group->before, stream);
	for (size_t i = 0; i < group->count; i++)
		fprintf(stream, "  %-10s %s\n", group->commands[i].name,
			group->commands[i].summary);
	fputs(group->after, stream);
}

static enum command_status command_run(const struct command_group *group,
				       const struct command *command, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "%s %s", group->name, command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

static bool command_is_option(const char *arg, const char *brief, const char *full)
{
	return strcmp(arg, brief) == 0 || strcmp(arg, full) == 0;
}

bool command_group_run(const struct command_group *group, int argc, char **argv,
		       enum command_status *status)
{
	*status = COMMAND_DONE;
	if (command_is_option(argv[1], "-h", "--help")) {
		command_group_help(group, stdout);
		return true;
	}
	if (command_is_option(argv[1], "-V", "--version")) {
		command_print_version();
		return true;
	}
	for (size_t i = 0; i < group->count; i++) {
		if (strcmp(argv[1], group->commands[i].name) == 0) {
			*status = command_run(group, &group->commands[i], argc - 1, argv + 1);
			return true;
		}
	}
	return false;
}

bool command_load_config(struct config *config, const char *path,
			 const struct config_override *overrides, size_t override_count,
			 enum command_status *status)
{
	struct config_problems problems = {0};
	int err = config_load(config, path, overrides, override_count, NULL, &problems);

	if (err) {
		config_problems_print(&problems, stderr);
		*status = COMMAND_USAGE;
	}
	config_problems_clear(&problems);
	return !err;
}

const char *const command_color_names[] = {
	[COMMAND_COLOR_AUTO] = "auto",
	[COMMAND_COLOR_ALWAYS] = "always",
	[COMMAND_COLOR_NEVER] = "never",
	NULL,
};

bool command_color_on(enum command_color color, FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");

	if (no_color && *no_color)
		return false;
	if (color != COMMAND_COLOR_AUTO)
		return color == COMMAND_COLOR_ALWAYS;
	return isatty(fileno(stream)) == 1;
}
