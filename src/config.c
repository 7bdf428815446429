// SPDX-License-Identifier: GPL-2.0-only
/* From a file to a configuration: read, lay the overrides over it, fill in, validate, hand out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_draft.h"

_Static_assert(CONFIG_RULE_KEYS + 1 < CONFIG_MAX_KEYS, "room for every key");

/* Reads up to CONFIG_MAX_FILE_SIZE bytes and puts a zero byte behind them. 0 or -errno. */
static int read_all(int fd, char **text, size_t *length)
{
	size_t size = 1 << 16, used = 0;
	char *buffer = NULL;

	for (;;) {
		char *larger = used + 1 >= size || !buffer ? realloc(buffer, size *= 2) : buffer;
		ssize_t got = larger ? read(fd, larger + used, size - 1 - used) : -1;

		if (!larger)
			errno = ENOMEM;
		else
			buffer = larger;
		if (got < 0 && errno == EINTR)
			continue;
		if (got >= 0 && used + (size_t)got > CONFIG_MAX_FILE_SIZE) {
			got = -1;
			errno = EFBIG;
		}
		if (got < 0) {
			int err = -errno;

			free(buffer);
			return err;
		}
		used += (size_t)got;
		if (got == 0)
			break;
	}
	buffer[used] = '\0';
	*text = buffer;
	*length = used;
	return 0;
}

int config_file_read(const char *path, char **text, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, text, length);
	close(fd);
	return err;
}

/* 0, or -errno with the problem that stands for it. */
static int read_file(struct config_draft *draft, const char *path)
{
	const struct config_said nowhere = {0};
	char *text;
	size_t length;
	int err = config_file_read(path, &text, &length);

	if (err == -EFBIG)
		config_problem_add(draft->problems, &nowhere, "", "larger than %u MiB",
				   CONFIG_MAX_FILE_SIZE >> 20);
	else if (err)
		config_problem_add(draft->problems, &nowhere, "", "cannot be read: %s",
				   strerror(-err));
	if (err)
		return err;
	config_read_text(draft, text, length);
	free(text);
	return 0;
}

static bool is_rule_override(const struct config_override *override)
{
	return strcmp(override->path, "nat") == 0;
}

static int draft_fill(struct config_draft *draft, const char *path,
		      const struct config_override *overrides, size_t override_count)
{
	int err = 0;

	for (size_t i = 0; i < override_count; i++) {
		if (is_rule_override(&overrides[i]))
			config_read_override(draft, &overrides[i]);
	}
	if (path)
		err = read_file(draft, path);
	if (err)
		return err;
	for (size_t i = 0; i < override_count; i++) {
		if (!is_rule_override(&overrides[i]))
			config_read_override(draft, &overrides[i]);
	}
	config_read_defaults(draft);
	config_check(draft);
	if (draft->out_of_memory)
		return -ENOMEM;
	return draft->problems->count || draft->problems->unlisted ? -EINVAL : 0;
}

int config_load(struct config *config, const char *path, const struct config_override *overrides,
		size_t override_count, struct config_problems *problems)
{
	struct config_draft draft = {.problems = problems, .has_file = path};
	const struct config_said nowhere = {0};
	int err;

	*problems = (struct config_problems){.input = strdup(path ? path : "command line")};
	err = draft_fill(&draft, path, overrides, override_count);
	if (err == -ENOMEM)
		config_problem_add(problems, &nowhere, "", "out of memory");
	config_problems_sort(problems);
	config_draft_clear(&draft);
	if (err)
		config_clear(&draft.config);
	*config = draft.config;
	return err;
}

void config_clear(struct config *config)
{
	free(config->listen.vnis);
	free(config->listen.sources);
	free(config->rules);
	*config = (struct config){0};
}
