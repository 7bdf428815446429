// SPDX-License-Identifier: GPL-2.0-only
/*
 * Applies the settings of the old files to an empty configuration, like options of a command line,
 * and prints the result. So the code that validates and prints new values handles the old ones,
 * too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "import/draft.h"
#include "config/file.h"
#include "config/problem.h"
#include "config/schema.h"
#include "import/env_file.h"

/* The names of settings in the old files. */
static const struct {
	const char *name;
	enum setting setting;
	const char *path; /* the key that takes the same value now; NULL: it needs translation */
	const char *gone; /* why it has no counterpart */
} names[] = {
	{"INTERFACE", INPUT_INTERFACE, "listen.interface", NULL},
	{"INPUT_INTERFACE", INPUT_INTERFACE, "listen.interface", NULL},
	{"TARGET_INTERFACE", TARGET_INTERFACE, "forward.interface", NULL},
	{"NAT_IP", NAT_IP, NULL, NULL},
	{"NAT_PORT", NAT_PORT, NULL, NULL},
	{"SOURCE_PORT", SOURCE_PORT, NULL, NULL},
	{"STATS_INTERVAL", STATS_INTERVAL, "monitor.interval", NULL},
	{"TARGET_PPS", TARGET_PPS, "monitor.target_pps", NULL},
	{"PERFORMANCE_THRESHOLD", WARNING_PPS, "monitor.warning_pps", NULL},
	{"ENABLE_REDIRECT", ENABLE_REDIRECT, NULL, NULL},
	{"DEBUG_LEVEL", DEBUG_LEVEL, NULL, NULL},
	{"AWS_IPSEC_VM_IP", AWS_IP, NULL, NULL},
	{"AWS_IPSEC_VM_PORT", AWS_PORT, NULL, NULL},
	{"LOG_FILE", LOG_FILE, NULL, "messages go to stderr, under systemd to the journal"},
	{"ENABLE_COLORS", ENABLE_COLORS, NULL, "colours follow the terminal, NO_COLOR and --color"},
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

static void take_rule(struct import *import, struct place place, const struct env_line *line)
{
	struct ip_endpoint target;
	char quoted[CONFIG_QUOTE_SIZE];

	if (line->objection)
		import_complain(import, place, "%s", line->objection);
	else if (ip_endpoint_parse(line->value, &target) || !target.port)
		import_complain(import, place, "%s is not ADDRESS:PORT",
				config_quote(line->value, quoted));
	else
		import_add_rule(import, place, line->name, &target);
}

static void take_setting(struct import *import, struct place place, const struct env_line *line)
{
	struct value *value;
	size_t i = 0;

	while (i < NAME_COUNT && strcmp(names[i].name, line->name) != 0)
		i++;
	if (i == NAME_COUNT) {
		import_warn(import, place, "%s is not known and not carried over", line->name);
		return;
	}
	if (names[i].gone) {
		import_warn(import, place, "%s is not carried over: %s", line->name, names[i].gone);
		return;
	}
	value = &import->values[names[i].setting];
	if (value->place.file && !value->refused && strcmp(value->text, line->value) != 0)
		import_warn(import, place, "%s takes the place of %s in %s:%u", line->name,
			    value->name, value->place.file, value->place.line);
	*value = (struct value){.place = place, .name = names[i].name, .path = names[i].path};
	value->refused = line->objection || strlen(line->value) >= sizeof(value->text);
	if (value->refused)
		import_complain(import, place, "%s: %s", line->name,
				line->objection ? line->objection : "the value is too long");
	else
		strcpy(value->text, line->value);
}

typedef void line_taker(struct import *import, struct place place, const struct env_line *line);

static void read_line(struct import *import, struct place place, char *line, size_t length,
		      line_taker *take)
{
	struct env_line parsed = {0};
	const char *wrong = strlen(line) == length ? env_line_parse(line, &parsed)
						   : "there is a zero byte in it";

	if (wrong)
		import_complain(import, place, "%s", wrong);
	else if (parsed.name)
		take(import, place, &parsed);
}

/* `path` NULL: there is no such file. */
static void read_lines(struct import *import, const char *path, line_taker *take)
{
	struct place place = {path, 0};
	char *text, *line, *end, objection[128];
	size_t length;
	int err = path ? config_file_read(path, NULL, &text, &length) : 0;

	if (err) {
		import_complain(import, place, "%s",
				config_file_objection(err, objection, sizeof(objection)));
		import->err = err;
	}
	if (!path || err)
		return;
	line = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text; /* byte order mark */
	for (; line < text + length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + length - line));
		if (!end)
			end = text + length;
		*end = '\0';
		place.line++;
		read_line(import, place, line, (size_t)(end - line), take);
	}
	free(text);
}

static void write_config(const struct config *config, const struct config_import_files *files,
			 FILE *out)
{
	const char *const paths[] = {files->env, files->nat_rules, files->interfaces};

	fprintf(out, "# Made by vxlan-pipeline config import from:\n");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!paths[i])
			continue;
		fprintf(out, "#   ");
		printable_print(paths[i], out);
		fputc('\n', out);
	}
	config_print(config, out);
}

int config_import(const struct config_import_files *files, FILE *out, FILE *messages)
{
	struct import import = {.messages = messages};
	struct config_problems problems;
	struct config config;
	int err;

	import.rules = calloc(UINT16_MAX + 1, sizeof(*import.rules));
	if (!import.rules)
		return -ENOMEM;
	read_lines(&import, files->env, take_setting);
	read_lines(&import, files->interfaces, take_setting);
	import_translate_rule(&import); /* the first rule */
	read_lines(&import, files->nat_rules, take_rule);
	import_translate(&import);
	err = config_load(&config, NULL, import.overrides, import.override_count, NULL, &problems);
	config_problems_print(&problems, messages);
	config_problems_clear(&problems);
	if (!err && !import.err)
		write_config(&config, files, out);
	config_clear(&config);
	for (size_t i = 0; i < import.override_count; i++) {
		free((char *)import.overrides[i].value);
		free((char *)import.overrides[i].origin);
	}
	free(import.overrides);
	free(import.rules);
	return import.err ? import.err : err;
}
