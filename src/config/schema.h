/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every key of the configuration in one table: its path, the values that it takes, the field where
 * its value goes, its default. Reading, printing, messages and help use this table.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_type {
	/* Collections */
	CONFIG_SECTION,
	CONFIG_RULES,   /* list of CONFIG_RULE */
	CONFIG_RULE,    /* its keys belong to struct nat_rule, all others to struct config */
	CONFIG_VNIS,    /* list of numbers, or a word for every one */
	CONFIG_SOURCES, /* list of prefixes, or a word for every one */
	/* Single values */
	CONFIG_NUMBER,
	CONFIG_CHOICE,
	CONFIG_INTERFACE,
	CONFIG_PREFIX,
	CONFIG_TARGET,   /* address[:port] */
	CONFIG_NEXT_HOP, /* a choice, or a MAC */
	CONFIG_LISTENER, /* address:port, or off */
	CONFIG_RULE_NAME,
};

struct config_key {
	const char *path;
	enum config_type type;
	size_t offset; /* of the value in its struct */
	size_t size;
	size_t present;             /* offset of the bool that says there is one; 0: none */
	uint32_t minimum;           /* of a number, or the first choice */
	uint32_t maximum;           /* of a number, or how many elements a list may have */
	const char *const *choices; /* by enumerator, NULL at the end */
	const char *word;           /* a word that stands for a number or a list: "auto", "any" */
	uint32_t word_value;        /* the number that it stands for */
	const char *initial;        /* the default as YAML; NULL: none, or one that depends */
	const char *shorthand;      /* the key that a section's single value goes to: "http: off" */
	bool required;
	const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* The number of a rule's keys: the rows that follow `nat[]` in the table. */
#define CONFIG_RULE_KEYS 9
#define CONFIG_RULE_PATH "nat[]"

/* NULL: there is none. */
const struct config_key *config_key_find(const char *path);
/* Of the keys directly below `parent` (NULL: at the top): the one of that name; */
const struct config_key *config_key_child(const struct config_key *parent, const char *name);
/* the one whose name is most like `name`; */
const struct config_key *config_key_nearest(const struct config_key *parent, const char *name);
/* the first, and the one after `key`; NULL at the end. */
const struct config_key *config_key_first(const struct config_key *parent);
const struct config_key *config_key_next(const struct config_key *parent,
					 const struct config_key *key);

/* A key of that name below another parent; within a rule only other keys of rules. NULL: none. */
const struct config_key *config_key_elsewhere(const struct config_key *parent, const char *name);

size_t config_key_index(const struct config_key *key);
/* The last part of its path. */
const char *config_key_name(const struct config_key *key);
/* The values that it takes: "a number from 1 to 65535". `buffer`: CONFIG_DESCRIBE_SIZE bytes. */
#define CONFIG_DESCRIBE_SIZE 160
const char *config_key_describe(const struct config_key *key, char *buffer);

/* Every key with what it takes, its default and its meaning. */
void config_schema_print(FILE *stream);

#endif
