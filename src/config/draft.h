/* SPDX-License-Identifier: GPL-2.0-only */
/* A configuration while it is read: its values, where each stands, and the problems so far. */
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include "config/problem.h"
#include "config/schema.h"

/* Where an element of a list stands, and its number there; refused elements leave gaps. */
struct config_element {
	struct config_said said;
	unsigned int number; /* from 1 */
};

/* What is known of a rule besides its values. */
struct config_rule_note {
	struct config_place keys[CONFIG_RULE_KEYS]; /* by the distance of the key to nat[] */
	const char *origin;
	bool refused; /* one of its values is wrong, so it cannot be judged as a whole */
	bool no_rule; /* it does not have the form of a rule */
	bool dropped; /* an override's rule, which wins over it, covers it */
};

#define CONFIG_MAX_KEYS 48

struct config_draft {
	struct config config;
	struct config_said said[CONFIG_MAX_KEYS]; /* by the key's index in the schema */
	struct config_element *vnis;              /* as many as config.listen.vnis */
	struct config_element *sources;
	struct config_rule_note *notes; /* as many as config.rules */
	size_t early_rules;             /* those of overrides, which come before the file's */
	struct config_problems *problems;
	struct progress progress; /* told while many rules are read */
	bool has_file;
	bool unfinished; /* a part of the input was not read */
	bool out_of_memory;
};

/* Append, with the place. The new rule is zeroed; NULL: out of memory, which the draft notes. */
void config_draft_add_vni(struct config_draft *draft, uint32_t vni,
			  const struct config_element *element);
void config_draft_add_source(struct config_draft *draft, const struct ip_prefix *prefix,
			     const struct config_element *element);
struct nat_rule *config_draft_add_rule(struct config_draft *draft, struct config_rule_note **note);
/* Empties a list, except for rules of overrides. */
void config_draft_empty(struct config_draft *draft, enum config_type list);
/* Frees the notes; the configuration stays. */
void config_draft_clear(struct config_draft *draft);

/* Reads a whole document. `text` ends with a zero byte. */
void config_read_text(struct config_draft *draft, const char *text, size_t length);
/* Applies one override. Those of `nat` must come before the document is read. */
void config_read_override(struct config_draft *draft, const struct config_override *override);
/* Gives every key that is not set its default. */
void config_read_defaults(struct config_draft *draft);

/* Validation across keys and rules. No I/O. */
void config_check(struct config_draft *draft);
/*
 * Finds rules that cannot match because of earlier ones, and too many shapes. A rule of the file
 * that only an override's rule covers is no problem of the file: it is dropped.
 */
void config_check_cover(struct config_draft *draft);

/* Finds two rules of one name. */
void config_check_names(struct config_draft *draft);

/* Does the rule have that key ("nat[].to")? */
bool config_rule_has(const struct config_draft *draft, size_t index, const char *key);
/*
 * Where one of a rule's keys ("nat[].to") stands, or the rule itself if it does not have that key.
 */
struct config_said config_rule_said(const struct config_draft *draft, size_t index,
				    const char *key);
/* As in "nat[3].to"; `buffer` holds CONFIG_RULE_PATH_SIZE bytes. */
#define CONFIG_RULE_PATH_SIZE 64
const char *config_rule_path(const struct config_draft *draft, size_t index, const char *key,
			     char *buffer);

#endif
