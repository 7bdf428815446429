/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables of configurations and of every problem that each of them has. */
#ifndef CONFIG_ROWS_H
#define CONFIG_ROWS_H

#include "config/config.h"
#include "tests/unit/unit.h"

struct config_row {
	const char *sentence;
	const char *text;
	size_t length;
	const char *problems; /* as printed for a file named `t`; "": it loads */
};

#define TEXT(literal) (literal), sizeof(literal) - 1

/* Loads `text` and returns its problems as printed; the caller frees them. */
static inline char *load_text(struct config *config, const char *text, size_t length,
			      const struct config_override *overrides, size_t override_count)
{
	struct config_problems problems;
	char *printed = NULL;
	size_t size;
	FILE *stream = open_memstream(&printed, &size);
	int err = config_load_text(config, "t", text, length, overrides, override_count, &problems);

	assert_non_null(stream);
	config_problems_print(&problems, stream);
	fclose(stream);
	/* Loading fails if and only if there are problems. */
	assert_int_equal(err, size ? -22 : 0);
	assert_int_equal(problems.count != 0, err != 0);
	if (err)
		assert_null(config->rules);
	config_problems_clear(&problems);
	return printed;
}

static inline void run_rows(const struct config_row *rows, size_t count)
{
	struct config config;
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		char *printed = load_text(&config, rows[i].text, rows[i].length, NULL, 0);

		failed += row_differs(rows[i].sentence, printed, rows[i].problems);
		free(printed);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

#endif
