/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * YAML as a stream of nodes. The document is not kept, so a configuration of any size takes little
 * memory. A configuration may use only a part of YAML: one document of mappings, lists and single
 * values.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

enum config_node_kind {
	CONFIG_NODE_SCALAR,
	CONFIG_NODE_LIST,    /* its elements follow, then CONFIG_NODE_END */
	CONFIG_NODE_MAPPING, /* keys and values in turn follow, then CONFIG_NODE_END */
	CONFIG_NODE_END,
	CONFIG_NODE_DONE,   /* no more in this input */
	CONFIG_NODE_FAILED, /* the rest cannot be read: `text` says why */
};

struct config_node {
	enum config_node_kind kind;
	struct config_place place;
	const char *text;      /* of a scalar; valid until the next call */
	bool plain;            /* a scalar without quotes */
	const char *objection; /* why this node has no place in a configuration, or NULL */
};

struct config_yaml;

/* `text` ends with a zero byte and must live as long as the stream. NULL: out of memory. */
struct config_yaml *config_yaml_open(const char *text, size_t length);
void config_yaml_close(struct config_yaml *yaml); /* NULL is allowed */

/* After DONE or FAILED, returns the same again. */
void config_yaml_next(struct config_yaml *yaml, struct config_node *node);

#endif
