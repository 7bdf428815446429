/* SPDX-License-Identifier: GPL-2.0-only */
/* A command's options in one table: what each takes, where its value goes, what --help says. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/command.h"
#include "cli/option_value.h"

/* An option; or, with OPTION_HEADING, a heading above the options that follow. */
struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* its name in --help, behind " " or "="; NULL: takes no argument */
	struct option_value value;
	const char *help;    /* lines, without indentation */
	const char *needs;   /* the option without which this one is refused, or NULL */
	const char *without; /* the option with which this one is refused, or NULL */
};

#define OPTION_ROW(...)     \
	{                   \
		__VA_ARGS__ \
	}
#define OPTION_HEADING(text) OPTION_ROW(.help = (text))

/* Options of several commands. */
#define OPTION_ROW_CONFIG(target)                               \
	OPTION_ROW('c', "config", " FILE", OPTION_TEXT(target), \
		   .help = "the configuration (default " COMMAND_CONFIG_DIR "/NAME.yaml)")
#define OPTION_ROW_INSTANCE(target)                                 \
	OPTION_ROW(0, "instance", " NAME", OPTION_INSTANCE(target), \
		   .help = "which instance (default " INSTANCE_DEFAULT ")")
#define OPTION_ROW_JSON(target)                          \
	OPTION_ROW(0, "json", NULL, OPTION_FLAG(target), \
		   .help = "one JSON document and nothing else")
#define OPTION_ROW_COLOR(target)                                                  \
	OPTION_ROW(0, "color", "=WHEN", OPTION_WORD(target, command_color_names), \
		   .help = "auto, always or never (default auto)")

/* Every command also takes -h, --help and -V, --version. */
struct option_set {
	const char *command; /* its name */
	const char *usage;   /* behind the name that it was called by; a line for each form */
	const char *about;   /* lines */
	const char *after;   /* lines below the options, or NULL */
	const struct option_row *rows;
	size_t count;
	bool has_operands; /* they begin at argv[optind]; false: there must be none */
};

#define OPTIONS_MAX 32 /* rows of a command */

/*
 * argv[0] is the name that the command was called by. True: go on. False: help or a complaint was
 * printed, and the command ends with *status.
 */
bool options_parse(int argc, char **argv, const struct option_set *set,
		   enum command_status *status);

#endif
