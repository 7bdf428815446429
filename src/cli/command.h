/* SPDX-License-Identifier: GPL-2.0-only */
/* What the subcommands have in common. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"
#include "base/error.h"
#include "instance/instance.h"

/* Exit status of every subcommand. */
enum command_status {
	COMMAND_DONE = 0,
	COMMAND_FAILED = 1,
	COMMAND_USAGE = 2, /* bad usage or bad configuration */
};

struct command {
	const char *name;
	/*
	 * argv[0] is "GROUP NAME", with which getopt_long() begins its messages; answers --help
	 * itself.
	 */
	enum command_status (*run)(int argc, char **argv);
	const char *summary; /* one line for the overview */
};

/* Commands to choose from. */
struct command_group {
	const char *name;   /* the words that the user types before a command's name */
	const char *before; /* help above the list of commands; `after`: below it */
	const char *after;
	const struct command *commands;
	size_t count;
};

void command_group_help(const struct command_group *group, FILE *stream);
/*
 * Does what argv[1] asks for: --help, --version, or a command. Returns false if it is none of them;
 * then nothing was printed.
 */
bool command_group_run(const struct command_group *group, int argc, char **argv,
		       enum command_status *status);

enum command_status cmd_run(int argc, char **argv);
enum command_status cmd_stop(int argc, char **argv);
enum command_status cmd_check(int argc, char **argv);
enum command_status cmd_tune(int argc, char **argv);
enum command_status cmd_config(int argc, char **argv);
enum command_status cmd_reload(int argc, char **argv);
enum command_status cmd_drain(int argc, char **argv);
enum command_status cmd_status(int argc, char **argv);
enum command_status cmd_stats(int argc, char **argv);
enum command_status cmd_metrics(int argc, char **argv);
enum command_status cmd_monitor(int argc, char **argv);
enum command_status cmd_explain(int argc, char **argv);
enum command_status cmd_generate(int argc, char **argv);

#define COMMAND_CONFIG_DIR "/etc/vxlan-pipeline"

/* The file that -c names, else that of the instance (NULL: the default one). */
const char *command_config_path(const char *file, const char *instance, char *buffer, size_t size);

/* Prints "vxlan-pipeline: TEXT" on stderr and returns COMMAND_FAILED. */
enum command_status command_fail(const struct error *error);
/* Prints "vxlan-pipeline COMMAND: TEXT" and how to get help; returns COMMAND_USAGE. */
enum command_status command_usage(const char *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints how to get help, after getopt_long() has complained. Returns COMMAND_USAGE. */
enum command_status command_usage_hint(const char *command);

void command_print_version(void);

/*
 * Loads the configuration. On failure prints every problem, sets *status to COMMAND_USAGE and
 * returns false.
 */
bool command_load_config(struct config *config, const char *path,
			 const struct config_override *overrides, size_t override_count,
			 enum command_status *status);

/* Decides on colour by --color=auto|always|never, NO_COLOR and whether the stream is a terminal. */
enum command_color { COMMAND_COLOR_AUTO, COMMAND_COLOR_ALWAYS, COMMAND_COLOR_NEVER };
extern const char *const command_color_names[]; /* NULL behind the last one */
bool command_color_on(enum command_color color, FILE *stream);

#endif
