// SPDX-License-Identifier: GPL-2.0-only
/* `check`: is this host ready for the configuration? */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "command.h"
#include "instance.h"

static const char help[] =
	"Usage: vxlan-pipeline check [-c FILE] [OPTIONS]\n\n"
	"Says whether this host can do what the configuration asks for. Each finding is ok, warn\n"
	"or fail, with the reason and the command that mends it. Changes nothing; what takes root\n"
	"to see is said. Exit status 1 when something fails, 0 with warnings only.\n\n"
	"  -c, --config FILE    the configuration (default: /etc/vxlan-pipeline/config.yaml)\n"
	"      --instance NAME  which instance (default " COMMAND_DEFAULT_INSTANCE
	"); without -c, its configuration\n"
	"      --json           one JSON document and nothing else\n"
	"      --record FILE    write down what is known of this host, too; - is standard output\n"
	"      --facts FILE     judge the host that --record wrote down, not this one\n"
	"      --color=WHEN     auto, always or never (default auto)\n"
	"  -h, --help           this text\n"
	"  -V, --version        the version\n";

struct check_options {
	const char *config;
	const char *instance;
	const char *record;
	const char *facts;
	bool json;
	enum command_color color;
};

static const char *const statuses[] = {
	[FINDING_OK] = "ok",
	[FINDING_WARN] = "warn",
	[FINDING_FAIL] = "fail",
};

/* True: go on; else *status says how the command ended. */
static bool parse(int argc, char **argv, struct check_options *options, enum command_status *status)
{
	enum { INSTANCE = 256, JSON, RECORD, FACTS, COLOR };
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"instance", required_argument, NULL, INSTANCE},
		{"json", no_argument, NULL, JSON},
		{"record", required_argument, NULL, RECORD},
		{"facts", required_argument, NULL, FACTS},
		{"color", required_argument, NULL, COLOR},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int option;

	*status = COMMAND_DONE;
	while ((option = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case INSTANCE:
			options->instance = optarg;
			break;
		case JSON:
			options->json = true;
			break;
		case RECORD:
			options->record = optarg;
			break;
		case FACTS:
			options->facts = optarg;
			break;
		case COLOR:
			if (command_color_parse(optarg, &options->color) == 0)
				break;
			*status = command_usage("check", "--color '%s': auto, always or never",
						optarg);
			return false;
		case 'h':
			fputs(help, stdout);
			return false;
		case 'V':
			printf("vxlan-pipeline %s\n", VERSION);
			return false;
		default:
			*status = command_usage_hint("check");
			return false;
		}
	}
	return true;
}

static enum command_status validate(int argc, char **argv, const struct check_options *options)
{
	if (optind < argc)
		return command_usage("check", "unexpected argument '%s'", argv[optind]);
	if (!instance_name_valid(options->instance))
		return command_usage("check", "--instance '%s': only letters, digits, '-' and '_'",
				     options->instance);
	if (options->record && options->facts)
		return command_usage("check", "--record is of this host: not with --facts");
	if (options->json && options->record && strcmp(options->record, "-") == 0)
		return command_usage("check",
				     "--json and --record - would both be standard output");
	return COMMAND_DONE;
}

static void print_json(const struct findings *findings)
{
	json_t *list = json_array(), *document;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s?}", "check", finding->check,
						"status", statuses[finding->status], "why",
						finding->why, "fix",
						*finding->fix ? finding->fix : NULL));
	}
	document = json_pack("{s:b, s:o}", "ready", check_count(findings, FINDING_FAIL) == 0,
			     "findings", list);
	json_dumpf(document, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(document);
}

static void print_text(const struct findings *findings, bool color)
{
	static const char *const colors[] = {
		[FINDING_OK] = "\033[32m",
		[FINDING_WARN] = "\033[33m",
		[FINDING_FAIL] = "\033[31m",
	};
	size_t failures = check_count(findings, FINDING_FAIL);

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		printf("%s%-4s%s  %-18s %s\n", color ? colors[finding->status] : "",
		       statuses[finding->status], color ? "\033[0m" : "", finding->check,
		       finding->why);
		if (*finding->fix)
			printf("%24s $ %s\n", "", finding->fix);
	}
	printf("%s: %zu of %zu findings fail, %zu warn\n", failures ? "not ready" : "ready",
	       failures, findings->count, check_count(findings, FINDING_WARN));
}

/* The host to be judged: this one, or one written down before. */
static int learn(const struct check_options *options, const struct config *config,
		 struct host *host, struct error *error)
{
	if (options->facts)
		return host_load_for(host, options->facts, config, error);
	host_read(host, config, options->instance);
	return options->record ? host_save(host, options->record, error) : 0;
}

static enum command_status check(const struct check_options *options, const struct config *config)
{
	struct findings findings;
	struct error error;
	struct host host;

	if (learn(options, config, &host, &error)) {
		command_fail(&error);
		/* facts are input, as a configuration is */
		return options->facts ? COMMAND_USAGE : COMMAND_FAILED;
	}
	check_host(&host, config, options->instance, &findings);
	if (options->json)
		print_json(&findings);
	else if (!options->record || strcmp(options->record, "-") != 0)
		print_text(&findings, command_color_on(options->color, stdout));
	return check_count(&findings, FINDING_FAIL) ? COMMAND_FAILED : COMMAND_DONE;
}

enum command_status cmd_check(int argc, char **argv)
{
	struct check_options options = {.instance = COMMAND_DEFAULT_INSTANCE};
	enum command_status status;
	struct config config;
	char path[256];

	if (!parse(argc, argv, &options, &status))
		return status;
	status = validate(argc, argv, &options);
	if (status != COMMAND_DONE)
		return status;
	if (!command_load_config(&config,
				 command_config_path(options.config, options.instance, path,
						     sizeof(path)),
				 NULL, 0, &status))
		return status;
	status = check(&options, &config);
	config_clear(&config);
	return status;
}
