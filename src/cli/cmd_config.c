// SPDX-License-Identifier: GPL-2.0-only
/* vxlan-pipeline config: check, show, import, keys */
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "import/import.h"
#include "config/schema.h"
#include "instance/instance.h"

static const char overview[] =
	"Usage: vxlan-pipeline config SUBCOMMAND [OPTIONS]\n\n"
	"  check   say whether a configuration is right, with every problem of it\n"
	"  show    the effective configuration, every default filled in\n"
	"  import  the old .env, nat_rules.conf and interfaces.conf as a configuration\n"
	"  keys    every key: what it takes, its default, what it means\n\n"
	"Each of them has --help and --version. None needs root or changes anything.\n";

static const char check_help[] =
	"Usage: vxlan-pipeline config check [-c FILE | --instance NAME] [--json]\n\n"
	"Validates a configuration. Each problem is one line on stderr:\n"
	"FILE:LINE:COLUMN: path.of.key: what is wrong and what would be right\n\n"
	"  -c, --config FILE    the configuration (default: /etc/vxlan-pipeline/config.yaml)\n"
	"      --instance NAME  that of the instance: /etc/vxlan-pipeline/NAME.yaml\n"
	"      --json           the problems as one JSON document on stdout\n"
	"  -h, --help           this text\n"
	"  -V, --version        the version\n\n"
	"Exit status: 0 no problem, 2 at least one.\n";

static const char show_help[] =
	"Usage: vxlan-pipeline config show [-c FILE | --instance NAME]\n\n"
	"Prints the effective configuration as YAML, every default filled in. It loads again\n"
	"unchanged.\n\n"
	"  -c, --config FILE    the configuration (default: /etc/vxlan-pipeline/config.yaml)\n"
	"      --instance NAME  that of the instance: /etc/vxlan-pipeline/NAME.yaml\n"
	"  -h, --help           this text\n"
	"  -V, --version        the version\n";

static const char import_help[] =
	"Usage: vxlan-pipeline config import [--env F] [--nat-rules F] [--interfaces F]\n\n"
	"Reads the old files, of which nothing is ever executed, and prints a configuration.\n"
	"What has no counterpart is said on stderr.\n\n"
	"      --env F         .env: NAME=VALUE\n"
	"      --nat-rules F   nat_rules.conf: SOURCE_PORT=ADDRESS:PORT\n"
	"      --interfaces F  interfaces.conf: NAME=VALUE; wins over .env\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n\n"
	"Exit status: 0 done, 2 something is wrong in the files; then nothing is printed.\n";

static const char keys_help[] =
	"Usage: vxlan-pipeline config keys\n\n"
	"Lists every key of a configuration. Lists are written as key[].\n\n"
	"  -h, --help     this text\n"
	"  -V, --version  the version\n";

/* Long options without a letter. */
enum { OPTION_INSTANCE = 256, OPTION_JSON, OPTION_ENV, OPTION_NAT_RULES, OPTION_INTERFACES };

struct options {
	const char *config;
	const char *instance;
	bool json;
	struct config_import_files import;
	bool help;
	bool version;
};

/* getopt itself says what it does not like. False: usage error. */
static bool parse_options(int argc, char **argv, const char *letters, const struct option *known,
			  struct options *options)
{
	int letter;

	optind = 0; /* glibc: begin anew */
	while ((letter = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		switch (letter) {
		case 'c':
			options->config = optarg;
			break;
		case OPTION_INSTANCE:
			options->instance = optarg;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_ENV:
			options->import.env = optarg;
			break;
		case OPTION_NAT_RULES:
			options->import.nat_rules = optarg;
			break;
		case OPTION_INTERFACES:
			options->import.interfaces = optarg;
			break;
		case 'h':
			options->help = true;
			break;
		case 'V':
			options->version = true;
			break;
		default:
			return false;
		}
	}
	return true;
}

static json_t *problem_json(const struct config_problem *problem)
{
	return json_pack("{s:s*, s:I, s:I, s:s, s:s}", "origin", problem->origin, "line",
			 (json_int_t)problem->place.line, "column",
			 (json_int_t)problem->place.column, "path", problem->path, "message",
			 problem->message);
}

static void print_json(const char *path, const struct config *config,
		       const struct config_problems *problems)
{
	json_t *list = json_array();
	json_t *document;

	for (size_t i = 0; i < problems->count; i++)
		json_array_append_new(list, problem_json(&problems->list[i]));
	/* A file's name need not be UTF-8, as JSON texts must be. */
	document = json_pack("{s:s*, s:b, s:I, s:o}", "file", path, "ok",
			     !problems->count && !problems->unlisted, "rules",
			     (json_int_t)config->rule_count, "problems", list);
	if (!document)
		document = json_pack("{s:b, s:I}", "ok", 0, "rules", (json_int_t)0);
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(document);
}

static enum command_status check(const struct options *options)
{
	struct config_problems problems;
	struct config config;
	char buffer[PATH_MAX];
	const char *path =
		command_config_path(options->config, options->instance, buffer, sizeof(buffer));
	int err = config_load(&config, path, NULL, 0, &problems);

	if (options->json)
		print_json(path, &config, &problems);
	else if (err)
		config_problems_print(&problems, stderr);
	else
		printf("%s: OK, %zu rule%s, %s to %s%s\n", path, config.rule_count,
		       config.rule_count == 1 ? "" : "s", config.listen.interface,
		       config.forward.interface,
		       !config.rule_count && config.forward.unmatched == FALLBACK_DROP
			       ? "; without a rule every packet is dropped, as "
				 "forward.unmatched says"
			       : "");
	config_problems_clear(&problems);
	config_clear(&config);
	return err ? COMMAND_USAGE : COMMAND_DONE;
}

static enum command_status show(const struct options *options)
{
	enum command_status status;
	struct config config;
	char buffer[PATH_MAX];
	const char *path =
		command_config_path(options->config, options->instance, buffer, sizeof(buffer));

	if (!command_load_config(&config, path, NULL, 0, &status))
		return status;
	config_print(&config, stdout);
	config_clear(&config);
	return COMMAND_DONE;
}

static enum command_status import(const struct options *options)
{
	const struct config_import_files *files = &options->import;

	if (!files->env && !files->nat_rules && !files->interfaces)
		return command_usage("config import",
				     "name at least one of --env, --nat-rules and --interfaces");
	return config_import(files, stdout, stderr) ? COMMAND_USAGE : COMMAND_DONE;
}

static enum command_status keys(const struct options *options)
{
	(void)options;
	config_schema_print(stdout);
	return COMMAND_DONE;
}

static const struct option check_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"instance", required_argument, NULL, OPTION_INSTANCE},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const struct option show_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"instance", required_argument, NULL, OPTION_INSTANCE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const struct option import_options[] = {
	{"env", required_argument, NULL, OPTION_ENV},
	{"nat-rules", required_argument, NULL, OPTION_NAT_RULES},
	{"interfaces", required_argument, NULL, OPTION_INTERFACES},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const struct option keys_options[] = {
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const struct {
	const char *name;
	enum command_status (*run)(const struct options *options);
	const char *letters;
	const struct option *options;
	const char *help;
} subcommands[] = {
	{"check", check, "c:hV", check_options, check_help},
	{"show", show, "c:hV", show_options, show_help},
	{"import", import, "hV", import_options, import_help},
	{"keys", keys, "hV", keys_options, keys_help},
};

#define SUBCOMMAND_COUNT (sizeof(subcommands) / sizeof(subcommands[0]))

/* One subcommand; argv[0] is its name. */
static enum command_status run(size_t i, int argc, char **argv)
{
	struct options options = {0};
	char name[64];
	const char *short_name = name + strlen("vxlan-pipeline ");

	snprintf(name, sizeof(name), "vxlan-pipeline config %s", subcommands[i].name);
	argv[0] = name; /* getopt begins its messages with it */
	if (!parse_options(argc, argv, subcommands[i].letters, subcommands[i].options, &options)) {
		fprintf(stderr, "Try '%s --help'.\n", name);
		return COMMAND_USAGE;
	}
	if (options.help) {
		fputs(subcommands[i].help, stdout);
		return COMMAND_DONE;
	}
	if (options.version) {
		printf("vxlan-pipeline %s\n", VERSION);
		return COMMAND_DONE;
	}
	if (optind < argc)
		return command_usage(short_name, "'%s' is one argument too many", argv[optind]);
	if (options.config && options.instance)
		return command_usage(short_name, "give -c or --instance, not both");
	if (options.instance && !instance_name_valid(options.instance))
		return command_usage(short_name,
				     "--instance '%s': only letters, digits, '-' and '_'",
				     options.instance);
	return subcommands[i].run(&options);
}

enum command_status cmd_config(int argc, char **argv)
{
	if (argc < 2)
		return command_usage("config", "which subcommand: check, show, import or keys?");
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		fputs(overview, stdout);
		return COMMAND_DONE;
	}
	if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
		printf("vxlan-pipeline %s\n", VERSION);
		return COMMAND_DONE;
	}
	for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
		if (strcmp(subcommands[i].name, argv[1]) == 0)
			return run(i, argc - 1, argv + 1);
	}
	return command_usage("config", "there is no subcommand '%s'", argv[1]);
}
