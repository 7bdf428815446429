// SPDX-License-Identifier: GPL-2.0-only
/* From a file to a configuration: read it, apply the overrides and the defaults, validate. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/draft.h"
#include "config/file.h"

_Static_assert(CONFIG_RULE_KEYS + 1 < CONFIG_MAX_KEYS, "room for every key");

/* Overrides that are rules are read before the file, all others after it. */
static void read_overrides(struct config_draft *draft, const struct config_override *overrides,
			   size_t count, bool rules)
{
	for (size_t i = 0; i < count; i++) {
		if (rules == (strcmp(overrides[i].path, "nat") == 0))
			config_read_override(draft, &overrides[i]);
	}
}

/* Moves the draft to *config if it has no problem. */
static int config_finish(struct config_draft *draft, struct config *config, int err)
{
	const struct config_said nowhere = {0};
	struct config_problems *problems = draft->problems;

	if (!err && draft->out_of_memory)
		err = -ENOMEM;
	if (err == -ENOMEM)
		config_problem_add(problems, &nowhere, "", "out of memory");
	else if (!err && (problems->count || problems->unlisted))
		err = -EINVAL;
	config_problems_sort(problems);
	config_draft_clear(draft);
	if (err)
		config_clear(&draft->config);
	*config = draft->config;
	return err;
}

static int config_load_from(struct config_draft *draft, struct config *config, const char *name,
			    const char *text, size_t length,
			    const struct config_override *overrides, size_t override_count)
{
	*draft->problems = (struct config_problems){.input = strdup(name)};
	draft->has_file = text;
	read_overrides(draft, overrides, override_count, true);
	if (text)
		config_read_text(draft, text, length);
	read_overrides(draft, overrides, override_count, false);
	config_read_defaults(draft);
	config_check(draft);
	return config_finish(draft, config, 0);
}

int config_load_text(struct config *config, const char *name, const char *text, size_t length,
		     const struct config_override *overrides, size_t override_count,
		     struct config_problems *problems)
{
	struct config_draft draft = {.problems = problems};

	return config_load_from(&draft, config, name, text, length, overrides, override_count);
}

int config_load(struct config *config, const char *path, const struct config_override *overrides,
		size_t override_count, const struct progress *progress,
		struct config_problems *problems)
{
	struct config_draft draft = {.problems = problems};
	const struct config_said nowhere = {0};
	char *text = NULL, objection[128];
	size_t length = 0;
	int err;

	if (progress)
		draft.progress = *progress;
	err = path ? config_file_read(path, progress, &text, &length) : 0;
	if (!err) {
		err = config_load_from(&draft, config, path ? path : "command line", text, length,
				       overrides, override_count);
		free(text);
		return err;
	}
	*problems = (struct config_problems){.input = strdup(path)};
	if (err != -ENOMEM)
		config_problem_add(problems, &nowhere, "", "%s",
				   config_file_objection(err, objection, sizeof(objection)));
	return config_finish(&draft, config, err);
}

void config_clear(struct config *config)
{
	free(config->listen.vnis);
	free(config->listen.sources);
	for (size_t i = 0; i < config->rule_count; i++)
		free(config->rules[i].name);
	free(config->rules);
	*config = (struct config){0};
}

bool config_may_send(const struct config *config, int version)
{
	for (size_t i = 0; i < config->rule_count; i++) {
		if (config->rules[i].to.address.version == version)
			return true;
	}
	return version == 4 && config->forward.unmatched == FALLBACK_FORWARD;
}
