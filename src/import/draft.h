/* SPDX-License-Identifier: GPL-2.0-only */
/* What the old files said, on its way to a configuration. Inside import/ only. */
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
	const char *file; /* NULL: nowhere */
	unsigned int line;
};

struct value {
	struct place place; /* file NULL: not set */
	const char *name;
	const char *path;
	bool refused; /* it was set to something that cannot be used, which has been said */
	char text[CONFIG_VALUE_SIZE];
};

struct import {
	FILE *messages;
	struct value values[SETTINGS];
	struct config_override *overrides; /* their values and origins are ours */
	size_t override_count;
	uint32_t *rules; /* by source port: the override that is its rule, from 1; 0: none */
	int err;
};

/* Fails the import, but lets it go on: all that is wrong is to be said. */
void import_complain(struct import *import, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Says what is not as it was. */
void import_warn(struct import *import, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds what the key `path` shall be. */
void import_add(struct import *import, struct place place, const char *path, const char *format,
		...) __attribute__((format(printf, 4, 5)));
/* Adds a rule, unless its source port has one. */
void import_add_rule(struct import *import, struct place place, const char *port,
		     const struct ip_endpoint *target);

/* From the rule that is described in several settings. */
void import_translate_rule(struct import *import);
/* From all other settings. */
void import_translate(struct import *import);

#endif
