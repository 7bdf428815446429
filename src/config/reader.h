/* SPDX-License-Identifier: GPL-2.0-only */
/* Walking along the nodes of an input, knowing the path of the key at hand. For config_read.c. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/draft.h"
#include "config/yaml.h"

struct config_reader {
	struct config_draft *draft;
	struct config_yaml *yaml;
	const char *origin; /* of an override; NULL: a file */
	bool failed;        /* the input cannot be read on, which has been said */
	char path[128];     /* of the key at hand */
};

/* Adds a problem with the key at hand. */
void reader_complain(struct config_reader *reader, struct config_place place, const char *format,
		     ...) __attribute__((format(printf, 3, 4)));

/* False: the input ended, or cannot be read on. What a node is objected to for has been said. */
bool reader_next(struct config_reader *reader, struct config_node *node);
/* The next element or key of the collection at hand; false at its end. */
bool reader_next_inside(struct config_reader *reader, struct config_node *node);
/* Passes over the rest of `node`, whose start was read; over the next one. */
void reader_skip(struct config_reader *reader, struct config_node node);
void reader_skip_next(struct config_reader *reader);

/* Returns the length to give to reader_path_cut() afterwards. */
size_t reader_path_add(struct config_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void reader_path_cut(struct config_reader *reader, size_t length);

/* `node` is of another kind than `key` takes: says so and passes over it. */
void reader_refuse_kind(struct config_reader *reader, const struct config_key *key,
			const struct config_node *node);
/* Sets the field of `base` that belongs to `key`, or says why not. */
void reader_take_single(struct config_reader *reader, const struct config_key *key, void *base,
			const struct config_node *node);

#endif
