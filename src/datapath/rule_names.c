// SPDX-License-Identifier: GPL-2.0-only
/* What the rules of a pinned generation are called, from map `rule_names`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

#define NUMBER_SIZE 24 /* any number */

/* Before names there were numbers. Only a generation that still is may be of an older build. */
static int name_by_number(const char *instance, uint32_t generation, struct datapath_stats *stats)
{
	uint32_t current;

	if (datapath_current_generation(instance, &current) || current != generation)
		return -ENOENT;
	stats->rule_names = calloc(stats->rule_count + 1, NUMBER_SIZE);
	if (!stats->rule_names)
		return -ENOMEM;
	for (size_t i = 0; i < stats->rule_count; i++) {
		char *name = stats->rule_names + i * NUMBER_SIZE;

		snprintf(name, NUMBER_SIZE, "%zu", i + 1);
		stats->rules[i].name = name;
	}
	return 0;
}

/* Gives each rule its name in `text`, whose last byte is zero: a rule without one has an empty one. */
static void share_out(struct datapath_stats *stats, size_t size)
{
	const char *at = stats->rule_names, *end = at + size;

	for (size_t i = 0; i < stats->rule_count; i++) {
		stats->rules[i].name = at < end ? at : end;
		at += strlen(stats->rules[i].name) + 1;
	}
}

int datapath_read_rule_names(const char *instance, uint32_t generation,
			     struct datapath_stats *stats)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "rule_names");
	size_t size;
	void *text;

	if (fd == -ENOENT)
		return name_by_number(instance, generation, stats);
	if (fd < 0)
		return fd;
	text = datapath_map_array(fd, PROT_READ, &size);
	if (text == MAP_FAILED)
		return -errno;
	stats->rule_names = malloc(size + 1);
	if (stats->rule_names) {
		memcpy(stats->rule_names, text, size);
		stats->rule_names[size] = '\0';
		share_out(stats, size);
	}
	munmap(text, size);
	return stats->rule_names ? 0 : -ENOMEM;
}

/* Walks to the names of the few rules that are asked for, and copies nothing else. */
static void find_names(struct datapath_condition *condition, const char *text, size_t size)
{
	uint32_t rule = 1;

	for (size_t at = 0; at < size; rule++) {
		size_t length = strnlen(text + at, size - at);

		for (size_t i = 0; i < condition->unresolved_count; i++) {
			struct datapath_unresolved *asked = &condition->unresolved[i];

			if (asked->rule == rule)
				snprintf(asked->name, sizeof(asked->name), "%.*s", (int)length,
					 text + at);
		}
		at += length + 1;
	}
}

void datapath_name_unresolved(const char *instance, uint32_t generation,
			      struct datapath_condition *condition)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "rule_names");
	size_t size;
	void *text;

	if (fd < 0)
		return;
	text = datapath_map_array(fd, PROT_READ, &size);
	if (text == MAP_FAILED)
		return;
	find_names(condition, text, size);
	munmap(text, size);
}
