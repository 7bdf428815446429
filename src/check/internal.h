/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files check_*.c share. */
#ifndef CHECK_INTERNAL_H
#define CHECK_INTERNAL_H

#include "check/check.h"
#include "config/rule_name.h"
#include "net/driver.h"
#include "base/quote.h"

#define CHECK_WORD_SIZE QUOTE_SIZE(CONFIG_INTERFACE_SIZE)

/* A check being made. */
struct check {
	const char *name;
	const struct host *host;
	const struct config *config;
	const char *instance;
	const char *options; /* of commands, for the same configuration and instance */
	char unit[INSTANCE_UNIT_SIZE];
	char listen_word[CHECK_WORD_SIZE]; /* the interfaces' names for a shell */
	char forward_word[CHECK_WORD_SIZE];
	bool single_arm;
	struct driver listen;
	struct driver forward;
	struct findings *findings;
};

#define CHECK_FUNCTION(name, good) void check_##name(const struct check *check);
CHECKS(CHECK_FUNCTION)
#undef CHECK_FUNCTION

/* Adds a finding; check_fix() says how to mend it. */
struct finding *check_find(const struct check *check, enum finding_status status,
			   const char *format, ...) __attribute__((format(printf, 3, 4)));
void check_fix(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The name of an interface of check->host as a word of a command. */
const char *check_word(const struct check *check, const struct host_link *link);

/* Is that the target of that rule? Facts may have been written down for another configuration. */
bool check_is_target(const struct config *config, int64_t rule, const char *address);

/* The status of what keeps native mode from being had: auto makes do with generic mode. */
enum finding_status check_native_status(const struct check *check);

/* Calls `judge` for listen.interface, and for forward.interface if it is another; both exist. */
void check_each_link(const struct check *check,
		     void (*judge)(const struct check *check, const struct host_link *link,
				   const struct driver *driver));

#endif
