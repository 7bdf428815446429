/* SPDX-License-Identifier: GPL-2.0-only */
/* Single values as text and as fields of a struct. Pure: the schema's row says what a key takes. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/addr.h"
#include "config/schema.h"

/* What is wrong with a value and what would be right. */
struct config_complaint {
	char text[384];
};

/*
 * Sets the field of `base` (struct config, or struct nat_rule for the keys of a rule) that belongs
 * to `key`, which is no collection. `plain`: the text stood without quotes.
 * Returns 0; or -EINVAL, fills the complaint and leaves the field untouched.
 */
int config_value_set(const struct config_key *key, void *base, const char *text, bool plain,
		     struct config_complaint *complaint);

/* Is this how YAML writes "nothing"? */
bool config_is_null(const char *text, bool plain);

/* The value as YAML, with quotes if it needs them; `text` holds CONFIG_VALUE_SIZE bytes. */
#define CONFIG_VALUE_SIZE 192
const char *config_value_format(const struct config_key *key, const void *base, char *text);
/* False: the key is optional, has no default, and is not given. */
bool config_value_is_given(const struct config_key *key, const void *base);
/* `source`, in quotes if YAML would take it for something else than text. */
const char *config_text_format(const char *source, char *text);

#endif
