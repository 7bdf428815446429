// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/reader.h"
#include "config/value.h"

void reader_complain(struct config_reader *reader, struct config_place place, const char *format,
		     ...)
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

bool reader_next(struct config_reader *reader, struct config_node *node)
{
	config_yaml_next(reader->yaml, node);
	if (node->kind == CONFIG_NODE_FAILED && !reader->failed) {
		reader->path[0] = '\0';
		reader_complain(reader, node->place, "%s", node->text);
		reader->failed = true;
		reader->draft->unfinished = true;
	}
	if (node->objection)
		reader_complain(reader, node->place, "%s", node->objection);
	return node->kind != CONFIG_NODE_FAILED && node->kind != CONFIG_NODE_DONE;
}

bool reader_next_inside(struct config_reader *reader, struct config_node *node)
{
	return reader_next(reader, node) && node->kind != CONFIG_NODE_END;
}

void reader_skip(struct config_reader *reader, struct config_node node)
{
	unsigned int depth = 0;

	do {
		if (node.kind == CONFIG_NODE_LIST || node.kind == CONFIG_NODE_MAPPING)
			depth++;
		else if (node.kind == CONFIG_NODE_END)
			depth--;
	} while (depth && reader_next(reader, &node));
}

void reader_skip_next(struct config_reader *reader)
{
	struct config_node node;

	if (reader_next(reader, &node))
		reader_skip(reader, node);
}

size_t reader_path_add(struct config_reader *reader, const char *format, ...)
{
	size_t length = strlen(reader->path);
	va_list args;

	va_start(args, format);
	vsnprintf(reader->path + length, sizeof(reader->path) - length, format, args);
	va_end(args);
	return length;
}

void reader_path_cut(struct config_reader *reader, size_t length)
{
	/* After a failure the path stays empty. */
	if (!reader->failed)
		reader->path[length] = '\0';
}

void reader_refuse_kind(struct config_reader *reader, const struct config_key *key,
			const struct config_node *node)
{
	static const char *const names[] = {
		[CONFIG_NODE_SCALAR] = "a single value",
		[CONFIG_NODE_LIST] = "a list",
		[CONFIG_NODE_MAPPING] = "a mapping",
	};
	char description[CONFIG_DESCRIBE_SIZE];

	reader_complain(reader, node->place, "this is %s; give %s", names[node->kind],
			config_key_describe(key, description));
	reader_skip(reader, *node);
}

void reader_take_single(struct config_reader *reader, const struct config_key *key, void *base,
			const struct config_node *node)
{
	struct config_complaint complaint;

	if (node->kind != CONFIG_NODE_SCALAR)
		reader_refuse_kind(reader, key, node);
	else if (!node->objection &&
		 config_value_set(key, base, node->text, node->plain, &complaint))
		reader_complain(reader, node->place, "%s", complaint.text);
}
