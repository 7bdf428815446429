/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of the commands that act on an instance's pinned state. */
#ifndef READ_OPTIONS_H
#define READ_OPTIONS_H

#include "command.h"

struct read_options {
	const char *instance;
	bool json;
	bool undo;
	enum command_color color;
	unsigned int interval; /* seconds; 0: not given */
	unsigned int count;    /* lines; 0: not given */
};

/* What a command takes beside --instance, --help and --version. */
#define READ_JSON     1
#define READ_COLOR    2
#define READ_INTERVAL 4
#define READ_UNDO     8

/* Returns true when the command has to go on; else *status says how it ended. */
bool read_options_parse(int argc, char **argv, unsigned int takes, const char *help,
			struct read_options *options, enum command_status *status);

#endif
