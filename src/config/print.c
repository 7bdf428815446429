// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "config/config.h"
#include "config/rule_name.h"
#include "config/value.h"

#define HELP_COLUMN   40
#define LIST_PER_LINE 12 /* elements of a list that are printed in one line */

static void print_help(FILE *stream, int column, const struct config_key *key)
{
	int blanks = column < HELP_COLUMN - 1 ? HELP_COLUMN - column : 1;

	fprintf(stream, "%*s# %s\n", blanks, "", key->help);
}

/*
 * `values`: `count` elements of the list `key`. The schema's row after `key` describes an element.
 */
static void print_list(FILE *stream, const struct config_key *key, const void *values, size_t count)
{
	const struct config_key *element = key + 1;
	char text[CONFIG_VALUE_SIZE];
	int column = fprintf(stream, "  %s: ", config_key_name(key));

	if (!count) {
		print_help(stream, column + fprintf(stream, "%s", key->word), key);
		return;
	}
	column += fprintf(stream, "[");
	for (size_t i = 0; i < count; i++) {
		if (i && i % LIST_PER_LINE == 0)
			column = fprintf(stream, ",\n    ") - 2;
		else if (i)
			column += fprintf(stream, ", ");
		column += fprintf(stream, "%s",
				  config_value_format(element,
						      (const char *)values + i * element->size,
						      text));
	}
	column += fprintf(stream, "]");
	print_help(stream, column, key);
}

static void print_key(FILE *stream, const struct config_key *key, const struct config *config)
{
	char text[CONFIG_VALUE_SIZE];
	int column;

	if (key->type == CONFIG_VNIS) {
		print_list(stream, key, config->listen.vnis,
			   config->listen.any_vni ? 0 : config->listen.vni_count);
	} else if (key->type == CONFIG_SOURCES) {
		print_list(stream, key, config->listen.sources, config->listen.source_count);
	} else {
		column = fprintf(stream, "  %s: %s", config_key_name(key),
				 config_value_format(key, config, text));
		print_help(stream, column, key);
	}
}

/* `name`: what the rule is called; NULL: not known. */
static void config_print_rule(FILE *stream, const struct config_key *rule_key,
			      const struct nat_rule *rule, const char *name)
{
	const struct config_key *match = config_key_child(rule_key, "match");
	const struct config_key *to = config_key_child(rule_key, "to");
	const char *joint = "";
	char text[CONFIG_VALUE_SIZE];

	if (rule->name)
		fprintf(stream, "  - name: %s\n    match: {",
			config_value_format(config_key_child(rule_key, "name"), rule, text));
	else
		fprintf(stream, "  - match: {");
	for (const struct config_key *key = config_key_first(match); key;
	     key = config_key_next(match, key)) {
		if (!config_value_is_given(key, rule))
			continue;
		fprintf(stream, "%s%s: %s", joint, config_key_name(key),
			config_value_format(key, rule, text));
		joint = ", ";
	}
	fprintf(stream, "}\n    to: %s", config_value_format(to, rule, text));
	fprintf(stream, rule->name || !name ? "\n" : " # %s\n", name);
}

static void config_print_rules(FILE *stream, const struct config_key *key,
			       const struct config *config)
{
	int column =
		fprintf(stream, "%s:%s", config_key_name(key), config->rule_count ? "" : " []");
	const struct config_key *rule_key = config_key_find(CONFIG_RULE_PATH);
	struct rule_names names = {0};

	print_help(stream, column, key);
	/* without memory for the names the rules themselves are printed all the same */
	rule_names_make(&names, config->rules, config->rule_count);
	for (size_t i = 0; i < config->rule_count; i++)
		config_print_rule(stream, rule_key, &config->rules[i],
				  names.of ? names.of[i] : NULL);
	rule_names_clear(&names);
}

void config_print(const struct config *config, FILE *stream)
{
	for (const struct config_key *section = config_key_first(NULL); section;
	     section = config_key_next(NULL, section)) {
		if (section->type == CONFIG_RULES) {
			config_print_rules(stream, section, config);
			continue;
		}
		print_help(stream, fprintf(stream, "%s:", config_key_name(section)), section);
		for (const struct config_key *key = config_key_first(section); key;
		     key = config_key_next(section, key))
			print_key(stream, key, config);
	}
}
