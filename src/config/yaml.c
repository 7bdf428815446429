// SPDX-License-Identifier: GPL-2.0-only
/* The only file that knows libyaml. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/yaml.h"

/* Far deeper than any key; libyaml's time grows with the square of the depth. */
#define MAX_DEPTH 16

struct config_yaml {
	yaml_parser_t parser;
	yaml_event_t event; /* of the node returned last, whose text is in here */
	const char *text;   /* a zero byte behind it */
	size_t length;
	unsigned int depth;
	unsigned int documents;
	enum config_node_kind end; /* 0; at the end DONE or FAILED */
	struct config_place end_place;
	char failure[320];
};

struct config_yaml *config_yaml_open(const char *text, size_t length)
{
	struct config_yaml *yaml = calloc(1, sizeof(*yaml));

	if (!yaml || !yaml_parser_initialize(&yaml->parser)) {
		free(yaml);
		return NULL;
	}
	/* Do not let libyaml guess: UTF-16 is refused like any other file that is no text. */
	yaml_parser_set_encoding(&yaml->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&yaml->parser, (const unsigned char *)text, length);
	yaml->text = text;
	yaml->length = length;
	return yaml;
}

void config_yaml_close(struct config_yaml *yaml)
{
	if (!yaml)
		return;
	yaml_event_delete(&yaml->event);
	yaml_parser_delete(&yaml->parser);
	free(yaml);
}

static struct config_place place_of(yaml_mark_t mark)
{
	return (struct config_place){(unsigned int)mark.line + 1, (unsigned int)mark.column + 1};
}

/* libyaml gives the place of a byte that is no text as an offset. Columns count characters. */
static struct config_place place_of_offset(const struct config_yaml *yaml, size_t offset)
{
	struct config_place place = {1, 1};

	for (size_t i = 0; i < offset && i < yaml->length; i++) {
		if (yaml->text[i] == '\n')
			place = (struct config_place){place.line + 1, 1};
		else if (((unsigned char)yaml->text[i] & 0xc0) != 0x80)
			place.column++;
	}
	return place;
}

static void yaml_fail(struct config_yaml *yaml, struct config_place place)
{
	yaml->end = CONFIG_NODE_FAILED;
	yaml->end_place = place;
}

/* Hints at frequent slips that libyaml's messages do not explain. */
static const char *syntax_hint(const struct config_yaml *yaml, unsigned int line)
{
	const char *at = yaml->text;
	size_t length, blanks;

	while (--line && (at = strchr(at, '\n')))
		at++;
	if (!at)
		return "";
	length = strcspn(at, "\n");
	blanks = strspn(at, " \t");
	if (memchr(at, '\t', blanks < length ? blanks : length))
		return "; indent with spaces, not with tabs";
	for (size_t i = 0; i + 1 < length; i++) {
		if (at[i] == ']' && at[i + 1] == ':')
			return "; an IPv6 address with a port needs quotes: \"[2001:db8::1]:8081\"";
		if (at[i] == ':' && at[i + 1] == ':' && i && strchr(" [{,", at[i - 1]))
			return "; an address that begins with a colon needs quotes: \"::1\"";
	}
	return "";
}

/* libyaml's value is a byte, a character or -1: the byte is the text's own. */
static void fail_encoding(struct config_yaml *yaml)
{
	size_t offset = yaml->parser.problem_offset;
	int used = snprintf(yaml->failure, sizeof(yaml->failure), "not a text file in UTF-8: %s",
			    yaml->parser.problem);

	if (offset < yaml->length)
		snprintf(yaml->failure + used, sizeof(yaml->failure) - (size_t)used,
			 " (byte 0x%02x)", (unsigned char)yaml->text[offset]);
}

static void fail_syntax(struct config_yaml *yaml)
{
	const yaml_parser_t *parser = &yaml->parser;
	struct config_place place = place_of(parser->problem_mark);
	int used;

	if (parser->error == YAML_MEMORY_ERROR) {
		snprintf(yaml->failure, sizeof(yaml->failure), "out of memory");
		place = (struct config_place){0};
	} else if (parser->error == YAML_READER_ERROR) {
		place = place_of_offset(yaml, parser->problem_offset);
		fail_encoding(yaml);
	} else {
		used = snprintf(yaml->failure, sizeof(yaml->failure), "not valid YAML: %s",
				parser->problem);
		if (parser->context)
			used += snprintf(yaml->failure + used, sizeof(yaml->failure) - (size_t)used,
					 " %s that began in line %zu", parser->context,
					 parser->context_mark.line + 1);
		snprintf(yaml->failure + used, sizeof(yaml->failure) - (size_t)used, "%s",
			 syntax_hint(yaml, place.line));
	}
	yaml_fail(yaml, place);
}

static const char *object(const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return "an anchor (&name) has no meaning here: write the value without it";
	if (tag)
		return "a tag (!name) has no meaning here: write the value without it";
	return NULL;
}

static void take_scalar(const yaml_event_t *event, struct config_node *node)
{
	node->kind = CONFIG_NODE_SCALAR;
	node->text = (const char *)event->data.scalar.value;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->objection = object(event->data.scalar.anchor, event->data.scalar.tag);
	if (strlen(node->text) != event->data.scalar.length)
		node->objection = "there is a zero byte in it";
}

static void yaml_take_document(struct config_yaml *yaml)
{
	if (yaml->documents++) {
		snprintf(yaml->failure, sizeof(yaml->failure),
			 "a second document begins: one file holds one configuration");
		yaml_fail(yaml, place_of(yaml->event.start_mark));
	}
}

static void take_start(struct config_yaml *yaml)
{
	if (++yaml->depth > MAX_DEPTH) {
		snprintf(yaml->failure, sizeof(yaml->failure),
			 "nested more than %d deep: no key of a configuration is", MAX_DEPTH);
		yaml_fail(yaml, place_of(yaml->event.start_mark));
	}
}

/* True: `node` is complete, and the caller returns it. */
static bool yaml_take_event(struct config_yaml *yaml, struct config_node *node)
{
	const yaml_event_t *event = &yaml->event;

	*node = (struct config_node){.place = place_of(event->start_mark)};
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		take_scalar(event, node);
		return true;
	case YAML_ALIAS_EVENT:
		node->kind = CONFIG_NODE_SCALAR;
		node->text = "";
		node->objection = "an alias (*name) has no meaning here: write the value out";
		return true;
	case YAML_SEQUENCE_START_EVENT:
		node->kind = CONFIG_NODE_LIST;
		node->objection =
			object(event->data.sequence_start.anchor, event->data.sequence_start.tag);
		take_start(yaml);
		return true;
	case YAML_MAPPING_START_EVENT:
		node->kind = CONFIG_NODE_MAPPING;
		node->objection =
			object(event->data.mapping_start.anchor, event->data.mapping_start.tag);
		take_start(yaml);
		return true;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		node->kind = CONFIG_NODE_END;
		yaml->depth--;
		return true;
	case YAML_DOCUMENT_START_EVENT:
		yaml_take_document(yaml);
		return false;
	case YAML_STREAM_END_EVENT:
		yaml->end = CONFIG_NODE_DONE;
		yaml->end_place = node->place;
		return false;
	default:
		return false;
	}
}

void config_yaml_next(struct config_yaml *yaml, struct config_node *node)
{
	bool taken = false;

	while (!taken && yaml->end == 0) {
		yaml_event_delete(&yaml->event);
		if (!yaml_parser_parse(&yaml->parser, &yaml->event))
			fail_syntax(yaml);
		else
			taken = yaml_take_event(yaml, node);
	}
	if (yaml->end)
		*node = (struct config_node){.kind = yaml->end,
					     .place = yaml->end_place,
					     .text = yaml->failure};
}
