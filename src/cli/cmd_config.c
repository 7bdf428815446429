// SPDX-License-Identifier: GPL-2.0-only
/* vxlan-pipeline config: check, show, import, keys */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#include "base/printable.h"
#include "cli/options.h"
#include "config/schema.h"
#include "import/import.h"

/* Which configuration the user means: that of a file, or of an instance. */
struct config_choice {
	const char *file;
	const char *instance;
	char path[PATH_MAX];
};

#define ROW_FILE(choice)                                                                          \
	OPTION_ROW('c', "config", " FILE", OPTION_TEXT(&(choice).file),                           \
		   .help = "the configuration (default: " COMMAND_CONFIG_DIR "/" INSTANCE_DEFAULT \
			   ".yaml)")
#define ROW_INSTANCE(choice)                                                    \
	OPTION_ROW(0, "instance", " NAME", OPTION_INSTANCE(&(choice).instance), \
		   .help = "that of the instance: " COMMAND_CONFIG_DIR "/NAME.yaml")

/* The path of the chosen file; NULL if the command ends here, with *status. */
static const char *cmd_config_choose(int argc, char **argv, const struct option_set *set,
				     struct config_choice *choice, enum command_status *status)
{
	if (!options_parse(argc, argv, set, status))
		return NULL;
	if (choice->file && choice->instance) {
		*status = command_usage(set->command, "give -c or --instance, not both");
		return NULL;
	}
	return command_config_path(choice->file, choice->instance, choice->path,
				   sizeof(choice->path));
}

static json_t *cmd_config_problem_json(const struct config_problem *problem)
{
	return json_pack("{s:s*, s:I, s:I, s:s, s:s}", "origin", problem->origin, "line",
			 (json_int_t)problem->place.line, "column",
			 (json_int_t)problem->place.column, "path", problem->path, "message",
			 problem->message);
}

static void cmd_config_print_json(const char *path, const struct config *config,
				  const struct config_problems *problems)
{
	json_t *list = json_array(), *name, *document;
	char file[PATH_MAX];

	for (size_t i = 0; i < problems->count; i++)
		json_array_append_new(list, cmd_config_problem_json(&problems->list[i]));
	name = json_string(path);
	if (!name) /* it need not be UTF-8, as JSON has to be */
		name = json_string(printable_copy(file, sizeof(file), path));
	document = json_pack("{s:o, s:b, s:I, s:o}", "file", name, "ok",
			     !problems->count && !problems->unlisted, "rules",
			     (json_int_t)config->rule_count, "problems", list);
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(document);
}

static void cmd_config_print_good(const char *path, const struct config *config)
{
	printable_print(path, stdout);
	printf(": OK, %zu rule%s, %s to %s%s\n", config->rule_count,
	       config->rule_count == 1 ? "" : "s", config->listen.interface,
	       config->forward.interface,
	       !config->rule_count && config->forward.unmatched == FALLBACK_DROP
		       ? "; without a rule every packet is dropped, as forward.unmatched says"
		       : "");
}

static enum command_status cmd_config_validate(const char *path, bool json)
{
	struct config_problems problems;
	struct config config;
	int err = config_load(&config, path, NULL, 0, NULL, &problems);

	if (json)
		cmd_config_print_json(path, &config, &problems);
	else if (err)
		config_problems_print(&problems, stderr);
	else
		cmd_config_print_good(path, &config);
	config_problems_clear(&problems);
	config_clear(&config);
	return err ? COMMAND_USAGE : COMMAND_DONE;
}

static const char check_about[] =
	"Validates a configuration. Each problem is one line on stderr:\n"
	"FILE:LINE:COLUMN: path.of.key: what is wrong and what would be right";

static enum command_status cmd_config_check(int argc, char **argv)
{
	struct config_choice choice = {0};
	bool json = false;
	const struct option_row rows[] = {
		ROW_FILE(choice),
		ROW_INSTANCE(choice),
		{0, "json", NULL, OPTION_FLAG(&json),
		 .help = "the problems as one JSON document on stdout"},
	};
	const struct option_set set = {
		.command = "config check",
		.usage = "[-c FILE | --instance NAME] [--json]",
		.about = check_about,
		.after = "Exit status: 0 no problem, 2 at least one.",
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;
	const char *path;

	path = cmd_config_choose(argc, argv, &set, &choice, &status);
	return path ? cmd_config_validate(path, json) : status;
}

static const char show_about[] =
	"Prints the effective configuration as YAML, every default filled in. It loads again\n"
	"unchanged.";

static enum command_status cmd_config_show(int argc, char **argv)
{
	struct config_choice choice = {0};
	const struct option_row rows[] = {ROW_FILE(choice), ROW_INSTANCE(choice)};
	const struct option_set set = {
		.command = "config show",
		.usage = "[-c FILE | --instance NAME]",
		.about = show_about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;
	struct config config;
	const char *path;

	path = cmd_config_choose(argc, argv, &set, &choice, &status);
	if (!path || !command_load_config(&config, path, NULL, 0, &status))
		return status;
	config_print(&config, stdout);
	config_clear(&config);
	return COMMAND_DONE;
}

static const char import_about[] =
	"Reads the old files, without executing anything in them, and prints a configuration.\n"
	"Settings that have no counterpart are named on stderr.";

static enum command_status cmd_config_import(int argc, char **argv)
{
	struct config_import_files files = {0};
	const struct option_row rows[] = {
		{0, "env", " F", OPTION_TEXT(&files.env), .help = ".env: NAME=VALUE"},
		{0, "nat-rules", " F", OPTION_TEXT(&files.nat_rules),
		 .help = "nat_rules.conf: SOURCE_PORT=ADDRESS:PORT"},
		{0, "interfaces", " F", OPTION_TEXT(&files.interfaces),
		 .help = "interfaces.conf: NAME=VALUE; wins over .env"},
	};
	const struct option_set set = {
		.command = "config import",
		.usage = "[--env F] [--nat-rules F] [--interfaces F]",
		.about = import_about,
		.after = "Exit status: 0 done, 2 something is wrong in the files; then nothing is "
			 "printed.",
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	if (!files.env && !files.nat_rules && !files.interfaces)
		return command_usage(set.command,
				     "name at least one of --env, --nat-rules and --interfaces");
	return config_import(&files, stdout, stderr) ? COMMAND_USAGE : COMMAND_DONE;
}

static enum command_status cmd_config_keys(int argc, char **argv)
{
	const struct option_set set = {
		.command = "config keys",
		.usage = "",
		.about = "Lists every key of a configuration. Lists are written as key[].",
	};
	enum command_status status;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	config_schema_print(stdout);
	return COMMAND_DONE;
}

static const struct command subcommands[] = {
	{"check", cmd_config_check, "say whether a configuration is right; name every problem"},
	{"show", cmd_config_show, "the effective configuration, every default filled in"},
	{"import", cmd_config_import,
	 "the old .env, nat_rules.conf and interfaces.conf as a configuration"},
	{"keys", cmd_config_keys, "every key: what it takes, its default, what it means"},
};

static const struct command_group group = {
	.name = "vxlan-pipeline config",
	.before = "Usage: vxlan-pipeline config SUBCOMMAND [OPTIONS]\n\n",
	.after = "\nEach of them has --help and --version. None needs root or changes anything.\n",
	.commands = subcommands,
	.count = sizeof(subcommands) / sizeof(subcommands[0]),
};

enum command_status cmd_config(int argc, char **argv)
{
	enum command_status status;

	if (argc < 2)
		return command_usage("config", "which subcommand: check, show, import or keys?");
	if (command_group_run(&group, argc, argv, &status))
		return status;
	return command_usage("config", "there is no subcommand '%s'", argv[1]);
}
