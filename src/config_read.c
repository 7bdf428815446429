// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a stream of nodes to a draft, led by the schema. Only what the schema knows is descended
 * into, so the depth of the recursion is the schema's; all else is skipped in a loop.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_draft.h"
#include "config_value.h"
#include "config_yaml.h"

struct reader {
	struct config_draft *draft;
	struct config_yaml *yaml;
	const char *origin; /* of an override; NULL: a file */
	bool failed;        /* the input cannot be read on, which has been said */
	char path[128];     /* of the key at hand */
};

/* What the keys of a mapping are written to. */
struct scope {
	void *base;                    /* struct config, or struct nat_rule: */
	struct config_rule_note *note; /* then this, and */
	const struct config_key *rule; /* the key that its keys follow */
};

static void complain(struct reader *reader, struct config_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void complain(struct reader *reader, struct config_place place, const char *format, ...)
{
	struct config_said said = {.place = place};
	char message[512];
	va_list args;

	if (reader->origin)
		said = (struct config_said){.origin = reader->origin};
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	config_problem_add(reader->draft->problems, &said, reader->path, "%s", message);
}

/* False: the input ended, or cannot be read on. */
static bool next_node(struct reader *reader, struct config_node *node)
{
	config_yaml_next(reader->yaml, node);
	if (node->kind == CONFIG_NODE_FAILED && !reader->failed) {
		reader->path[0] = '\0';
		complain(reader, node->place, "%s", node->text);
		reader->failed = true;
		reader->draft->unfinished = true;
	}
	if (node->objection)
		complain(reader, node->place, "%s", node->objection);
	return node->kind != CONFIG_NODE_FAILED && node->kind != CONFIG_NODE_DONE;
}

/* The next element or key of the collection at hand; false at its end. */
static bool next_inside(struct reader *reader, struct config_node *node)
{
	return next_node(reader, node) && node->kind != CONFIG_NODE_END;
}

/* Passes over the rest of `node`, whose start was read. */
static void skip(struct reader *reader, struct config_node node)
{
	unsigned int depth = 0;

	do {
		if (node.kind == CONFIG_NODE_LIST || node.kind == CONFIG_NODE_MAPPING)
			depth++;
		else if (node.kind == CONFIG_NODE_END)
			depth--;
	} while (depth && next_node(reader, &node));
}

static void skip_next(struct reader *reader)
{
	struct config_node node;

	if (next_node(reader, &node))
		skip(reader, node);
}

static size_t path_add(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Returns the length to give to path_cut() afterwards. */
static size_t path_add(struct reader *reader, const char *format, ...)
{
	size_t length = strlen(reader->path);
	va_list args;

	va_start(args, format);
	vsnprintf(reader->path + length, sizeof(reader->path) - length, format, args);
	va_end(args);
	return length;
}

static void path_cut(struct reader *reader, size_t length)
{
	/* A failure empties the path for good. */
	if (!reader->failed)
		reader->path[length] = '\0';
}

/* It is of another kind than `key` takes; passes over it. */
static void refuse_kind(struct reader *reader, const struct config_key *key,
			const struct config_node *node)
{
	static const char *const names[] = {
		[CONFIG_NODE_SCALAR] = "a single value",
		[CONFIG_NODE_LIST] = "a list",
		[CONFIG_NODE_MAPPING] = "a mapping",
	};
	char description[CONFIG_DESCRIBE_SIZE];

	complain(reader, node->place, "this is %s; give %s", names[node->kind],
		 config_key_describe(key, description));
	skip(reader, *node);
}

static void read_single(struct reader *reader, const struct config_key *key, void *base,
			const struct config_node *node)
{
	struct config_complaint complaint;

	if (node->kind != CONFIG_NODE_SCALAR)
		refuse_kind(reader, key, node);
	else if (!node->objection &&
		 config_value_set(key, base, node->text, node->plain, &complaint))
		complain(reader, node->place, "%s", complaint.text);
}

static void read_value(struct reader *reader, const struct config_key *key, struct scope *scope,
		       const struct config_node *node);

/* Notes where a key stands; returns the line where it stood before, 0: nowhere. */
static unsigned int note_key(struct reader *reader, struct scope *scope,
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

static void complain_unknown(struct reader *reader, const struct config_key *parent,
			     const struct config_node *node)
{
	const struct config_key *nearest = config_key_nearest(parent, node->text);
	const struct config_key *elsewhere = config_key_elsewhere(parent, node->text);

	if (strcmp(node->text, "<<") == 0)
		complain(reader, node->place, "merging has no meaning here: write the keys out");
	else if (elsewhere)
		complain(reader, node->place, "unknown key; did you mean %s?", elsewhere->path);
	else
		complain(reader, node->place, "unknown key; did you mean '%s'?",
			 config_key_name(nearest));
}

/* One key of a mapping, and its value. */
static void read_entry(struct reader *reader, const struct config_key *parent, struct scope *scope,
		       struct config_node *node)
{
	const struct config_key *key;
	char name[CONFIG_QUOTE_SIZE];
	size_t length;
	unsigned int before;

	if (node->kind != CONFIG_NODE_SCALAR || node->objection) {
		if (!node->objection)
			complain(reader, node->place, "a key is a single word");
		skip(reader, *node);
		skip_next(reader);
		return;
	}
	length =
		path_add(reader, "%s%s", *reader->path ? "." : "", config_escape(node->text, name));
	key = config_key_child(parent, node->text);
	before = key ? note_key(reader, scope, key, node->place) : 0;
	if (!key)
		complain_unknown(reader, parent, node);
	else if (before)
		complain(reader, node->place, "duplicate key; it stands in line %u already",
			 before);
	if (!key || before)
		skip_next(reader);
	else if (next_node(reader, node))
		read_value(reader, key, scope, node);
	path_cut(reader, length);
}

static void read_section(struct reader *reader, const struct config_key *key, struct scope *scope,
			 const struct config_node *node)
{
	struct config_node inside;
	size_t length;

	if (node->kind == CONFIG_NODE_MAPPING) {
		while (next_inside(reader, &inside))
			read_entry(reader, key, scope, &inside);
	} else if (node->kind == CONFIG_NODE_SCALAR && config_is_null(node->text, node->plain) &&
		   key->type == CONFIG_SECTION) {
		return; /* a heading with nothing below it */
	} else if (node->kind == CONFIG_NODE_SCALAR && key->shorthand) {
		key = config_key_find(key->shorthand);
		note_key(reader, scope, key, node->place);
		length = path_add(reader, ".%s", config_key_name(key));
		read_single(reader, key, scope->base, node);
		path_cut(reader, length);
	} else {
		refuse_kind(reader, key, node);
	}
}

static size_t problem_count(const struct reader *reader)
{
	return reader->draft->problems->count + reader->draft->problems->unlisted;
}

static void read_rule(struct reader *reader, const struct config_key *key,
		      const struct config_node *node)
{
	struct scope scope = {.rule = key};
	size_t problems = problem_count(reader);
	struct nat_rule *rule = config_draft_add_rule(reader->draft, &scope.note);

	if (!rule)
		return;
	rule->place = node->place;
	scope.base = rule;
	scope.note->no_rule = node->kind != CONFIG_NODE_MAPPING;
	read_section(reader, key, &scope, node);
	scope.note->refused = problem_count(reader) != problems;
}

/* One element of a list; what is refused is not kept. */
static void read_element(struct reader *reader, const struct config_key *key,
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
		read_single(reader, key, &vni, node);
		if (problems == problem_count(reader) && !node->objection)
			config_draft_add_vni(reader->draft, vni, &element);
	} else {
		read_single(reader, key, &prefix, node);
		if (problems == problem_count(reader) && !node->objection)
			config_draft_add_source(reader->draft, &prefix, &element);
	}
}

/* In place of a list: its word, or nothing where the list may be empty. */
static void read_word(struct reader *reader, const struct config_key *key,
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
		complain(reader, node->place, "there is no value: give %s",
			 config_key_describe(key, description));
	else if (key->type == CONFIG_RULES)
		refuse_kind(reader, key, node);
	else
		complain(reader, node->place, "%s is no list: write [%s], or %s",
			 config_quote(node->text, quoted), config_escape(node->text, escaped),
			 key->word);
}

static void read_list(struct reader *reader, const struct config_key *key,
		      const struct config_node *node)
{
	size_t early = key->type == CONFIG_RULES ? reader->draft->early_rules : 0;
	struct config_place surplus = {0};
	struct config_node inside;
	unsigned int number = 0;
	size_t length;

	while (next_inside(reader, &inside)) {
		if (++number + early > key->maximum) {
			surplus = surplus.line ? surplus : inside.place;
			skip(reader, inside);
			continue;
		}
		length = path_add(reader, "[%u]", number);
		read_element(reader, key + 1, &inside, number);
		path_cut(reader, length);
	}
	if (surplus.line)
		complain(reader, surplus, "%zu are too many: at most %u fit", number + early,
			 key->maximum);
	else if (!number && !reader->failed && key->type != CONFIG_RULES)
		complain(reader, node->place, "the list is empty: nothing would be accepted");
}

static void read_value(struct reader *reader, const struct config_key *key, struct scope *scope,
		       const struct config_node *node)
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
			refuse_kind(reader, key, node);
		break;
	default:
		read_single(reader, key, scope->base, node);
		break;
	}
}

void config_read_text(struct config_draft *draft, const char *text, size_t length)
{
	struct reader reader = {.draft = draft, .yaml = config_yaml_open(text, length)};
	struct scope scope = {.base = &draft->config};
	struct config_node node;

	if (!reader.yaml) {
		draft->out_of_memory = true;
		return;
	}
	/* The second look finds what may follow the document. */
	if (next_node(&reader, &node)) {
		if (node.kind == CONFIG_NODE_MAPPING)
			while (next_inside(&reader, &node))
				read_entry(&reader, NULL, &scope, &node);
		else if (node.kind != CONFIG_NODE_SCALAR || !config_is_null(node.text, node.plain))
			refuse_kind(&reader, config_key_find("listen"), &node);
		next_node(&reader, &node);
	}
	config_yaml_close(reader.yaml);
}

/* A value of one key that does not stand in a document. */
static void read_text_value(struct reader *reader, const struct config_key *key, const char *text)
{
	struct scope scope = {.base = &reader->draft->config};
	struct config_node node = {.text = text, .plain = true};

	if (key->type != CONFIG_VNIS && key->type != CONFIG_SOURCES) {
		read_single(reader, key, scope.base, &node);
		return;
	}
	reader->yaml = config_yaml_open(text, strlen(text));
	reader->draft->out_of_memory |= !reader->yaml;
	if (reader->yaml && next_node(reader, &node))
		read_value(reader, key, &scope, &node);
	config_yaml_close(reader->yaml);
}

/* SOURCE_PORT ADDRESS[:PORT] */
static void read_nat_override(struct reader *reader, const char *text)
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
	read_single(reader, config_key_find("nat[].match.source_port"), rule, &port);
	read_single(reader, config_key_find("nat[].to"), rule, &target);
	note->refused = !rule->has_source_port || !rule->to.address.version;
}

void config_read_override(struct config_draft *draft, const struct config_override *override)
{
	const struct config_key *key = config_key_find(override->path);
	struct reader reader = {.draft = draft, .origin = override->origin};
	struct config_node nowhere = {0};

	path_add(&reader, "%s", override->path);
	if (key && key->type == CONFIG_RULES) {
		read_nat_override(&reader, override->value);
	} else if (!key || key->type == CONFIG_SECTION || strchr(key->path, '[')) {
		complain(&reader, nowhere.place, "there is no such key");
	} else {
		draft->said[config_key_index(key)] =
			(struct config_said){.origin = override->origin};
		read_text_value(&reader, key, override->value);
	}
}

void config_read_defaults(struct config_draft *draft)
{
	for (size_t i = 0; i < config_key_count; i++) {
		struct reader reader = {.draft = draft, .origin = "default"};

		if (config_keys[i].initial && !config_is_said(&draft->said[i]))
			read_text_value(&reader, &config_keys[i], config_keys[i].initial);
	}
}
