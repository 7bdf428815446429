/* SPDX-License-Identifier: GPL-2.0-only */
/* The settings of the old files while they are translated. Inside import/ only. */
#ifndef IMPORT_DRAFT_H
#define IMPORT_DRAFT_H

#include "config/config.h"
#include "import/import.h"
#include "config/value.h"

enum setting {
	INPUT_INTERFACE,
	TARGET_INTERFACE,
	NAT_IP,
	NAT_PORT,
	SOURCE_PORT,
	STATS_INTERVAL,
	TARGET_PPS,
	WARNING_PPS,
	ENABLE_REDIRECT,
	DEBUG_LEVEL,
	AWS_IP,
	AWS_PORT,
	LOG_FILE,
	ENABLE_COLORS,
	SETTINGS,
};

struct place {
	const char *file; /* NULL: no file sets it */
	unsigned int line;
};

struct value {
	struct place place; /* file NULL: not set */
	const char *name;
	const char *path;
	bool refused; /* its value cannot be used, and the user has been told */
	char text[CONFIG_VALUE_SIZE];
};

struct import {
	FILE *messages;
	struct value values[SETTINGS];
	struct config_override *overrides; /* this struct owns their values and origins */
	size_t override_count;
	uint32_t *rules; /* by source port: the number of its rule's override, from 1; 0: none */
	int err;
};

/* Reports an error: the import will fail, but goes on, to report all errors. */
void import_complain(struct import *import, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Reports a difference from the old program. */
void import_warn(struct import *import, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Sets the key `path` to a value. */
void import_add(struct import *import, struct place place, const char *path, const char *format,
		...) __attribute__((format(printf, 4, 5)));
/* Adds a rule, unless its source port has one; another target for it is an error. */
void import_add_rule(struct import *import, struct place place, const char *port,
		     const struct ip_endpoint *target);

/* Translates the rule that the settings SOURCE_PORT, NAT_IP and NAT_PORT describe. */
void import_translate_rule(struct import *import);
/* Translates all other settings. */
void import_translate(struct import *import);

#endif
