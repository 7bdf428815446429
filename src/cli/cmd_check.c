// SPDX-License-Identifier: GPL-2.0-only
/* `check`: is this host ready for the configuration? */
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "check/check.h"
#include "cli/command.h"
#include "cli/options.h"
#include "base/quote.h"
#include "net/netdev.h"

static const char about[] =
	"Says whether this host can do what the configuration asks for. Each finding is ok, warn\n"
	"or fail, with the reason and the command that mends it. Changes nothing; what takes root\n"
	"to see is said. Exit status 1 when something fails, 0 with warnings only.";

struct check_options {
	const char *config;
	const char *instance;
	const char *record;
	const char *facts;
	bool json;
	bool wait;
	enum command_color color;
};

static const char *const statuses[] = {
	[FINDING_OK] = "ok",
	[FINDING_WARN] = "warn",
	[FINDING_FAIL] = "fail",
};

static bool check_parse_options(int argc, char **argv, struct check_options *options,
				enum command_status *status)
{
	const struct option_row rows[] = {
		OPTION_ROW_CONFIG(&options->config),
		OPTION_ROW_INSTANCE(&options->instance),
		OPTION_ROW_JSON(&options->json),
		{0, "record", " FILE", OPTION_TEXT(&options->record),
		 .help = "write down what is known of this host, too; - is standard output"},
		{0, "facts", " FILE", OPTION_TEXT(&options->facts),
		 .help = "judge the host that --record wrote down, not this one"},
		{0, "wait", NULL, OPTION_FLAG(&options->wait),
		 .help = "for `run --wait`: only warn of what that waits for"},
		OPTION_ROW_COLOR(&options->color),
	};
	const struct option_set set = {
		.command = "check",
		.usage = "[-c FILE] [OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};

	return options_parse(argc, argv, &set, status);
}

static enum command_status check_validate(const struct check_options *options)
{
	if (options->record && options->facts)
		return command_usage("check", "--record is of this host: not with --facts");
	if (options->json && options->record && strcmp(options->record, "-") == 0)
		return command_usage("check",
				     "--json and --record - would both be standard output");
	return COMMAND_DONE;
}

static void check_print_json(const struct findings *findings)
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

static void check_print_line(const char *text)
{
	printable_print(text, stdout);
	putchar('\n');
}

static void check_print_text(const struct findings *findings, bool color)
{
	static const char *const colors[] = {
		[FINDING_OK] = "\033[32m",
		[FINDING_WARN] = "\033[33m",
		[FINDING_FAIL] = "\033[31m",
	};
	size_t failures = check_count(findings, FINDING_FAIL);

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		printf("%s%-4s%s  %-18s ", color ? colors[finding->status] : "",
		       statuses[finding->status], color ? "\033[0m" : "", finding->check);
		check_print_line(finding->why); /* --facts may come from anywhere */
		if (!*finding->fix)
			continue;
		printf("%24s $ ", "");
		check_print_line(finding->fix);
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

/* What names configuration and instance to another command; nothing where it is too long to print. */
static void say_options(const struct check_options *options, char *text, size_t size)
{
	bool is_default = strcmp(options->instance, INSTANCE_DEFAULT) == 0;
	char word[256] = "";
	size_t length;

	if (options->config)
		quote_word(word, sizeof(word), options->config);
	length = (size_t)snprintf(text, size, "%s%s%s%s", *word ? " -c " : "", word,
				  is_default ? "" : " --instance ",
				  is_default ? "" : options->instance);
	if (length >= size || (options->config && !*word))
		*text = '\0';
}

static enum command_status check(const struct check_options *options, struct config *config)
{
	struct findings findings;
	struct error error;
	struct host host;
	char named[280];

	if (!options->facts) {
		netdev_find_name(config->listen.interface, &error);
		netdev_find_name(config->forward.interface, &error);
	}
	if (learn(options, config, &host, &error)) {
		command_fail(&error);
		/* facts are input, as a configuration is */
		return options->facts ? COMMAND_USAGE : COMMAND_FAILED;
	}
	say_options(options, named, sizeof(named));
	check_host(&host, config, options->instance, named, &findings);
	if (options->wait)
		check_forgive_waiting(&findings);
	if (options->json)
		check_print_json(&findings);
	else if (!options->record || strcmp(options->record, "-") != 0)
		check_print_text(&findings, command_color_on(options->color, stdout));
	return check_count(&findings, FINDING_FAIL) ? COMMAND_FAILED : COMMAND_DONE;
}

enum command_status cmd_check(int argc, char **argv)
{
	struct check_options options = {.instance = INSTANCE_DEFAULT};
	enum command_status status;
	struct config config;
	char path[256];

	if (!check_parse_options(argc, argv, &options, &status))
		return status;
	status = check_validate(&options);
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
