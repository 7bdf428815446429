/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks along the nodes of an input, and knows the path of the current key. For read.c. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/draft.h"
#include "config/yaml.h"

struct config_reader {
	struct config_draft *draft;
	struct config_yaml *yaml;
	const char *origin; /* of an override; NULL: a file */
	bool failed;        /* the rest of the input cannot be read, and the problem is added */
	char path[128];     /* of the current key */
};

/* Adds a problem with the current key. */
void reader_complain(struct config_reader *reader, struct config_place place, const char *format,
		     ...) __attribute__((format(printf, 3, 4)));

/* False: the input has ended, or failed. Adds the problem if the node has an objection. */
bool reader_next(struct config_reader *reader, struct config_node *node);
/* The next element or key of the current collection; false at its end. */
bool reader_next_inside(struct config_reader *reader, struct config_node *node);
/* Skips the rest of `node`, whose start was read; skips the next node. */
void reader_skip(struct config_reader *reader, struct config_node node);
void reader_skip_next(struct config_reader *reader);

/* Returns the length to give to reader_path_cut() afterwards. */
size_t reader_path_add(struct config_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void reader_path_cut(struct config_reader *reader, size_t length);

/* Adds the problem that `node` is of another kind than `key` takes, and skips it. */
void reader_refuse_kind(struct config_reader *reader, const struct config_key *key,
			const struct config_node *node);
/* Sets the field of `base` that belongs to `key`, or adds the problem that keeps it from that. */
void reader_take_single(struct config_reader *reader, const struct config_key *key, void *base,
			const struct config_node *node);

#endif
