/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What rules are called in counters, metrics and messages. A rule has the name that the configuration
 * gives it, or else one made of its `match` and `to`: 8 hexadecimal digits of a hash, which no other
 * rule, no order and no way to write the file changes.
 */
#ifndef CONFIG_RULE_NAME_H
#define CONFIG_RULE_NAME_H

#include "config/config.h"

#define RULE_NAME_MAX 63
#define RULE_NAME_LETTERS                                                \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	"._-:"

struct rule_names {
	const char **of; /* of[i]: what rules[i] is called */
	char *text;      /* where they stand, in the order of the rules, each with its zero byte */
	size_t size;     /* bytes of that */
};

/*
 * Where the hashes of several rules are equal, 8 digits of another hash follow: HASH-HASH. And where
 * those are, too, the rule's number among them: HASH-HASH-2. 0, or -ENOMEM and all is zero.
 */
int rule_names_make(struct rule_names *names, const struct nat_rule *rules, size_t count);
void rule_names_clear(struct rule_names *names);

/* For messages: ", NAME" if the configuration gives it one, else nothing. Returns `text`. */
#define RULE_NAME_ADDED (RULE_NAME_MAX + 3)
const char *rule_name_add(const struct nat_rule *rule, char *text);

#endif
