/* SPDX-License-Identifier: GPL-2.0-only */
/* The hosts in facts/, as `check --record` writes them, and configurations for them. */
#ifndef FACTS_H
#define FACTS_H

#include <jansson.h>

#include "config/config.h"
#include "host/host.h"
#include "tests/unit/unit.h"

#define FACTS "tests/unit/check/facts/"

/* Loads the facts of a host and applies `change` to them: JSON with single quotes, or NULL. */
static inline void facts_load(struct host *host, const char *name, const char *change)
{
	json_t *document, *laid_over;
	char path[128];
	struct error error;

	snprintf(path, sizeof(path), FACTS "%s.json", name);
	document = json_load_file(path, 0, NULL);
	assert_non_null(document);
	if (change) {
		char *text = strdup(change);

		for (char *c = text; *c; c++) {
			if (*c == '\'')
				*c = '"';
		}
		laid_over = json_loads(text, 0, NULL);
		assert_non_null(laid_over);
		assert_int_equal(json_object_update_recursive(document, laid_over), 0);
		json_decref(laid_over);
		free(text);
	}
	if (host_from_json(host, document, &error))
		fail_msg("%s: %s", name, error.text);
	json_decref(document);
}

/* Loads the configuration of a row, which must have no problem. */
static inline void facts_config(struct config *config, const char *text)
{
	struct config_problems problems = {0};

	if (config_load_text(config, "row", text, strlen(text), NULL, 0, &problems)) {
		config_problems_print(&problems, stderr);
		fail_msg("the row's configuration");
	}
	config_problems_clear(&problems);
}

#endif
