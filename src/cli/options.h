/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of a command: one table says what is taken, where it goes and what --help says. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/command.h"

enum option_kind {
	OPTION_FLAG,     /* bool */
	OPTION_TEXT,     /* const char * */
	OPTION_INSTANCE, /* const char *, a name that is valid */
	OPTION_COLOR,    /* enum command_color */
	OPTION_NUMBER,   /* unsigned int, from minimum to maximum */
};

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* what --help calls it, behind " " or "="; NULL: takes none */
	enum option_kind kind;
	void *value;      /* untouched unless given; of what is given twice the last one counts */
	const char *help; /* lines, without indentation */
	unsigned int minimum, maximum;
};

/* What several commands take. */
#define OPTION_ROW_CONFIG(value)                                                             \
	{                                                                                    \
		'c', "config", " FILE", OPTION_TEXT, value,                                  \
			"the configuration (default " COMMAND_CONFIG_DIR "/NAME.yaml)", 0, 0 \
	}
#define OPTION_ROW_INSTANCE(value)                                            \
	{                                                                     \
		0, "instance", " NAME", OPTION_INSTANCE, value,               \
			"which instance (default " INSTANCE_DEFAULT ")", 0, 0 \
	}
#define OPTION_ROW_JSON(value)                                                                  \
	{                                                                                       \
		0, "json", NULL, OPTION_FLAG, value, "one JSON document and nothing else", 0, 0 \
	}
#define OPTION_ROW_COLOR(value)                                                                   \
	{                                                                                         \
		0, "color", "=WHEN", OPTION_COLOR, value, "auto, always or never (default auto)", \
			0, 0                                                                      \
	}

/* Beside its rows every command takes -h, --help and -V, --version. */
struct option_set {
	const char *command; /* its name */
	const char *usage;   /* what follows the name that it was called by */
	const char *about;   /* lines */
	const char *after;   /* lines below the options, or NULL */
	const struct option_row *rows;
	size_t count;
	bool has_operands; /* optind says where; else there must be none */
};

#define OPTIONS_MAX 16 /* rows of a command */

/*
 * argv[0] is what it was called by. Returns whether to go on; if not, what was to be said was said,
 * and *status is what to end with.
 */
bool options_parse(int argc, char **argv, const struct option_set *set,
		   enum command_status *status);

#endif
