// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a stream of nodes to a draft, by the schema. Only keys of the schema are descended into, so
 * the recursion is as deep as the schema; everything else is skipped in a loop.
 */
#include <stdio.h>
#include <string.h>

#include "config/reader.h"
#include "config/value.h"

/* Where the values of a mapping's keys go. */
struct scope {
	void *base; /* struct config, or struct nat_rule */
	/* for a rule, else NULL: */
	struct config_rule_note *note; /* where its keys stand */
	const struct config_key *rule; /* its row of the schema, which its keys' rows follow */
};

static void read_value(struct config_reader *reader, const struct config_key *key,
		       struct scope *scope, const struct config_node *node);

/* Notes where a key stands. Returns the line where it has stood before; 0: it has not. */
static unsigned int note_key(struct config_reader *reader, struct scope *scope,
			     const struct config_key *key, struct config_place place)
{
	struct config_place *noted = &reader->draft->said[config_key_index(key)].place;
	unsigned int before;

	if (scope->note)
		noted = &scope->note->keys[key - scope->rule - 1];
	before = noted->line;
	if (!before)
		*noted = place;
	return before;
}

static void complain_unknown(struct config_reader *reader, const struct config_key *parent,
			     const struct config_node *node)
{
	const struct config_key *nearest = config_key_nearest(parent, node->text);
	const struct config_key *elsewhere = config_key_elsewhere(parent, node->text);

	if (strcmp(node->text, "<<") == 0)
		reader_complain(reader, node->place,
				"merging has no meaning here: write the keys out");
	else if (elsewhere)
		reader_complain(reader, node->place, "unknown key; did you mean %s?",
				elsewhere->path);
	else
		reader_complain(reader, node->place, "unknown key; did you mean '%s'?",
				config_key_name(nearest));
}

/* One key of a mapping, and its value. */
static void read_entry(struct config_reader *reader, const struct config_key *parent,
		       struct scope *scope, struct config_node *node)
{
	const struct config_key *key;
	char name[CONFIG_QUOTE_SIZE];
	size_t length;
	unsigned int before;

	if (node->kind != CONFIG_NODE_SCALAR || node->objection) {
		if (!node->objection)
			reader_complain(reader, node->place, "a key is a single word");
		reader_skip(reader, *node);
		reader_skip_next(reader);
		return;
	}
	length = reader_path_add(reader, "%s%s", *reader->path ? "." : "",
				 config_escape(node->text, name));
	key = config_key_child(parent, node->text);
	before = key ? note_key(reader, scope, key, node->place) : 0;
	if (!key)
		complain_unknown(reader, parent, node);
	else if (before)
		reader_complain(reader, node->place, "duplicate key; it stands in line %u already",
				before);
	if (!key || before)
		reader_skip_next(reader);
	else if (reader_next(reader, node))
		read_value(reader, key, scope, node);
	reader_path_cut(reader, length);
}

static void read_section(struct config_reader *reader, const struct config_key *key,
			 struct scope *scope, const struct config_node *node)
{
	struct config_node inside;
	size_t length;

	if (node->kind == CONFIG_NODE_MAPPING) {
		while (reader_next_inside(reader, &inside))
			read_entry(reader, key, scope, &inside);
	} else if (node->kind == CONFIG_NODE_SCALAR && config_is_null(node->text, node->plain) &&
		   key->type == CONFIG_SECTION) {
		return; /* a section without keys */
	} else if (node->kind == CONFIG_NODE_SCALAR && key->shorthand) {
		key = config_key_find(key->shorthand);
		note_key(reader, scope, key, node->place);
		length = reader_path_add(reader, ".%s", config_key_name(key));
		reader_take_single(reader, key, scope->base, node);
		reader_path_cut(reader, length);
	} else {
		reader_refuse_kind(reader, key, node);
	}
}

static size_t problem_count(const struct config_reader *reader)
{
	return reader->draft->problems->count + reader->draft->problems->unlisted;
}

static void read_rule(struct config_reader *reader, const struct config_key *key,
		      const struct config_node *node)
{
	struct scope scope = {.rule = key};
	size_t problems = problem_count(reader);
	struct nat_rule *rule = config_draft_add_rule(reader->draft, &scope.note);

	if (!rule)
		return;
	if (reader->draft->config.rule_count % PROGRESS_EVERY == 0)
		progress_step(&reader->draft->progress);
	rule->place = node->place;
	scope.base = rule;
	scope.note->no_rule = node->kind != CONFIG_NODE_MAPPING;
	read_section(reader, key, &scope, node);
	scope.note->refused = problem_count(reader) != problems;
}

/* Reads one element of a list; a refused one is not kept. */
static void read_element(struct config_reader *reader, const struct config_key *key,
			 const struct config_node *node, unsigned int number)
{
	struct config_element element = {{node->place, reader->origin}, number};
	size_t problems = problem_count(reader);
	struct ip_prefix prefix = {0};
	uint32_t vni = 0;

	if (reader->origin)
		element.said.place = (struct config_place){0};
	if (key->type == CONFIG_RULE) {
		read_rule(reader, key, node);
	} else if (key->type == CONFIG_NUMBER) {
		reader_take_single(reader, key, &vni, node);
		if (problems == problem_count(reader) && !node->objection)
			config_draft_add_vni(reader->draft, vni, &element);
	} else {
		reader_take_single(reader, key, &prefix, node);
		if (problems == problem_count(reader) && !node->objection)
			config_draft_add_source(reader->draft, &prefix, &element);
	}
}

/* Reads what stands in place of a list: its word, or nothing if the list may be empty. */
static void read_word(struct config_reader *reader, const struct config_key *key,
		      const struct config_node *node)
{
	char quoted[CONFIG_QUOTE_SIZE], escaped[CONFIG_QUOTE_SIZE],
		description[CONFIG_DESCRIBE_SIZE];
	bool null = config_is_null(node->text, node->plain);

	if (node->objection || (null && key->type == CONFIG_RULES))
		return;
	if (key->word && strcmp(node->text, key->word) == 0)
		reader->draft->config.listen.any_vni |= key->type == CONFIG_VNIS;
	else if (null)
		reader_complain(reader, node->place, "there is no value: give %s",
				config_key_describe(key, description));
	else if (key->type == CONFIG_RULES)
		reader_refuse_kind(reader, key, node);
	else
		reader_complain(reader, node->place, "%s is no list: write [%s], or %s",
				config_quote(node->text, quoted),
				config_escape(node->text, escaped), key->word);
}

static void read_list(struct config_reader *reader, const struct config_key *key,
		      const struct config_node *node)
{
	size_t early = key->type == CONFIG_RULES ? reader->draft->early_rules : 0;
	struct config_place surplus = {0};
	struct config_node inside;
	unsigned int number = 0;
	size_t length;

	while (reader_next_inside(reader, &inside)) {
		if (++number + early > key->maximum) {
			surplus = surplus.line ? surplus : inside.place;
			reader_skip(reader, inside);
			continue;
		}
		length = reader_path_add(reader, "[%u]", number);
		read_element(reader, key + 1, &inside, number);
		reader_path_cut(reader, length);
	}
	if (surplus.line)
		reader_complain(reader, surplus, "%zu are too many: at most %u fit", number + early,
				key->maximum);
	else if (!number && !reader->failed && key->type != CONFIG_RULES)
		reader_complain(reader, node->place,
				"the list is empty: nothing would be accepted");
}

static void read_value(struct config_reader *reader, const struct config_key *key,
		       struct scope *scope, const struct config_node *node)
{
	switch (key->type) {
	case CONFIG_SECTION:
	case CONFIG_RULE:
		read_section(reader, key, scope, node);
		break;
	case CONFIG_RULES:
	case CONFIG_VNIS:
	case CONFIG_SOURCES:
		config_draft_empty(reader->draft, key->type);
		if (node->kind == CONFIG_NODE_LIST)
			read_list(reader, key, node);
		else if (node->kind == CONFIG_NODE_SCALAR)
			read_word(reader, key, node);
		else
			reader_refuse_kind(reader, key, node);
		break;
	default:
		reader_take_single(reader, key, scope->base, node);
		break;
	}
}

static void read_document(struct config_reader *reader, struct scope *scope,
			  struct config_node *node)
{
	if (node->kind == CONFIG_NODE_MAPPING) {
		while (reader_next_inside(reader, node))
			read_entry(reader, NULL, scope, node);
	} else if (node->kind != CONFIG_NODE_SCALAR || !config_is_null(node->text, node->plain)) {
		/* Refuse it as a section of the wrong kind; do not report missing keys besides. */
		reader->draft->unfinished = true;
		reader_refuse_kind(reader, config_key_find("listen"), node);
	}
}

void config_read_text(struct config_draft *draft, const char *text, size_t length)
{
	struct config_reader reader = {.draft = draft, .yaml = config_yaml_open(text, length)};
	struct scope scope = {.base = &draft->config};
	struct config_node node;

	if (!reader.yaml) {
		draft->out_of_memory = true;
		return;
	}
	/* The second call finds a second document, or what else follows. */
	if (reader_next(&reader, &node)) {
		read_document(&reader, &scope, &node);
		reader_next(&reader, &node);
	}
	config_yaml_close(reader.yaml);
}

/* Reads the value of one key from a text outside of any document. */
static void read_text_value(struct config_reader *reader, const struct config_key *key,
			    const char *text)
{
	struct scope scope = {.base = &reader->draft->config};
	struct config_node node = {.text = text, .plain = true};

	if (key->type != CONFIG_VNIS && key->type != CONFIG_SOURCES) {
		reader_take_single(reader, key, scope.base, &node);
		return;
	}
	reader->yaml = config_yaml_open(text, strlen(text));
	reader->draft->out_of_memory |= !reader->yaml;
	if (reader->yaml && reader_next(reader, &node))
		read_value(reader, key, &scope, &node);
	config_yaml_close(reader->yaml);
}

/* Reads SOURCE_PORT ADDRESS[:PORT]. */
static void read_nat_override(struct config_reader *reader, const char *text)
{
	static const char blanks[] = " \t";
	size_t length = strcspn(text, blanks);
	struct config_rule_note *note;
	struct nat_rule *rule = config_draft_add_rule(reader->draft, &note);
	struct config_node port = {.plain = true}, target = {.plain = true};
	char port_text[CONFIG_QUOTE_SIZE];

	if (!rule)
		return;
	snprintf(port_text, sizeof(port_text), "%.*s", (int)length, text);
	port.text = port_text;
	target.text = text + length + strspn(text + length, blanks);
	note->origin = reader->origin;
	note->refused = true;
	reader->draft->early_rules++;
	reader_take_single(reader, config_key_find("nat[].match.source_port"), rule, &port);
	reader_take_single(reader, config_key_find("nat[].to"), rule, &target);
	note->refused = !rule->has_source_port || !rule->to.address.version;
}

void config_read_override(struct config_draft *draft, const struct config_override *override)
{
	const struct config_key *key = config_key_find(override->path);
	struct config_reader reader = {.draft = draft, .origin = override->origin};
	struct config_node nowhere = {0};

	reader_path_add(&reader, "%s", override->path);
	if (key && key->type == CONFIG_RULES) {
		read_nat_override(&reader, override->value);
	} else if (!key || key->type == CONFIG_SECTION || strchr(key->path, '[')) {
		reader_complain(&reader, nowhere.place, "there is no such key");
	} else {
		draft->said[config_key_index(key)] =
			(struct config_said){.origin = override->origin};
		read_text_value(&reader, key, override->value);
	}
}

void config_read_defaults(struct config_draft *draft)
{
	for (size_t i = 0; i < config_key_count; i++) {
		struct config_reader reader = {.draft = draft, .origin = "default"};

		if (config_keys[i].initial && !config_is_said(&draft->said[i]))
			read_text_value(&reader, &config_keys[i], config_keys[i].initial);
	}
}
