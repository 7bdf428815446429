/* SPDX-License-Identifier: GPL-2.0-only */
/* A configuration on its way: its values, where each was said, and what is wrong so far. */
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include "config/problem.h"
#include "config/schema.h"

/* Where an element of a list stands, and its number there; what was refused leaves gaps. */
struct config_element {
	struct config_said said;
	unsigned int number; /* from 1 */
};

/* What is known of a rule besides the rule. */
struct config_rule_note {
	struct config_place keys[CONFIG_RULE_KEYS]; /* by the distance of the key to nat[] */
	const char *origin;
	bool refused; /* a value of it is wrong, so that it cannot be judged as a whole */
	bool no_rule; /* nothing that has the form of a rule */
	bool dropped; /* covered by a rule said beside the file, which wins over it */
};

#define CONFIG_MAX_KEYS 48

struct config_draft {
	struct config config;
	struct config_said said[CONFIG_MAX_KEYS]; /* by the key's index in the schema */
	struct config_element *vnis;              /* as many as config.listen.vnis */
	struct config_element *sources;
	struct config_rule_note *notes; /* as many as config.rules */
	size_t early_rules;             /* said beside the file, hence before the file's */
	struct config_problems *problems;
	struct progress progress; /* told while many rules are read */
	bool has_file;
	bool unfinished; /* the input could not be read to its end */
	bool out_of_memory;
};

/* Append, with what is known besides. The rule is zeroed; NULL: out of memory, which is noted. */
void config_draft_add_vni(struct config_draft *draft, uint32_t vni,
			  const struct config_element *element);
void config_draft_add_source(struct config_draft *draft, const struct ip_prefix *prefix,
			     const struct config_element *element);
struct nat_rule *config_draft_add_rule(struct config_draft *draft, struct config_rule_note **note);
/* Takes out what a list holds, but for rules that came beside the file. */
void config_draft_empty(struct config_draft *draft, enum config_type list);
/* Frees the notes; the configuration stays. */
void config_draft_clear(struct config_draft *draft);

/* Reads a whole document. `text` ends with a zero byte. */
void config_read_text(struct config_draft *draft, const char *text, size_t length);
/* Lays one value over what was read. Those for `nat` must come before the document. */
void config_read_override(struct config_draft *draft, const struct config_override *override);
/* Gives every key its default that nobody said. */
void config_read_defaults(struct config_draft *draft);

/* Validation across keys and rules. No I/O. */
void config_check(struct config_draft *draft);
/*
 * Rules that cannot match because of earlier ones; shapes that are too many. A rule that only what
 * was said beside the file makes useless is no problem of the file: it is dropped.
 */
void config_check_cover(struct config_draft *draft);

/* Does the rule have that key ("nat[].to")? */
bool config_rule_has(const struct config_draft *draft, size_t index, const char *key);
/* Where a rule, or one of its keys ("nat[].to"), stands; the rule itself where the key does not. */
struct config_said config_rule_said(const struct config_draft *draft, size_t index,
				    const char *key);
/* As in "nat[3].to"; `buffer` holds CONFIG_RULE_PATH_SIZE bytes. */
#define CONFIG_RULE_PATH_SIZE 64
const char *config_rule_path(const struct config_draft *draft, size_t index, const char *key,
			     char *buffer);

#endif
