// SPDX-License-Identifier: GPL-2.0-only
/*
 * Imports the predecessor's files: the result is a configuration that loads, or messages only. The
 * input is .env, nat_rules.conf and interfaces.conf with lines of "---" between them; the last ones
 * may be missing.
 */
#include "config/config.h"
#include "import/import.h"
#include "fuzz.h"

#define FILES     3
#define SEPARATOR "---\n"

static void check_loads(const char *text, size_t length)
{
	struct config_problems problems;
	struct config config;

	must(config_load_text(&config, "imported", text, length, NULL, 0, &problems) == 0,
	     "what is imported loads");
	config_problems_clear(&problems);
	config_clear(&config);
}

/* Messages are complete lines of printable characters. */
static void check_messages(const char *text, size_t length)
{
	must(!length || text[length - 1] == '\n', "messages end with their line");
	for (size_t i = 0; i < length; i++)
		must(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'),
		     "messages are printable");
}

static void check(const struct config_import_files *files)
{
	char *text = NULL, *said = NULL;
	size_t length, said_length;
	FILE *out = open_memstream(&text, &length), *messages = open_memstream(&said, &said_length);
	int err;

	must(out && messages, "there is memory");
	err = config_import(files, out, messages);
	fclose(out);
	fclose(messages);
	check_messages(said, said_length);
	if (err)
		must(!length && said_length, "where nothing is imported, why is said");
	else
		check_loads(text, length);
	free(text);
	free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory_file files[FILES];
	const char *paths[FILES] = {0};
	char *text = text_of(data, size), *at = text, *end = text + size;

	for (size_t i = 0; i < FILES; i++) {
		char *next = memmem(at, (size_t)(end - at), SEPARATOR, strlen(SEPARATOR));

		memory_file_set(&files[i], at, (size_t)((next ? next : end) - at));
		paths[i] = files[i].path;
		if (!next)
			break;
		at = next + strlen(SEPARATOR);
	}
	check(&(struct config_import_files){paths[0], paths[1], paths[2]});
	free(text);
	return 0;
}
