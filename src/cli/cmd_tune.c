// SPDX-License-Identifier: GPL-2.0-only
/* `tune`: sets what helps a configuration, and puts it back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/options.h"
#include "net/netdev.h"
#include "tune/tune.h"

static const char about[] =
	"Makes the host settings that help the configuration: MTU and channels within the limits\n"
	"of XDP, receive ring, interrupt moderation, forwarding by the kernel, idle states.\n"
	"Records the old values first, in " TUNE_STATE "/NAME.";

struct tune_options {
	const char *config;
	const char *instance;
	const char *facts;
	bool dry_run;
	bool revert;
	bool json;
};

static const char *const outcomes[] = {
	[TUNE_PLANNED] = "planned", [TUNE_CHANGED] = "changed", [TUNE_UNCHANGED] = "unchanged",
	[TUNE_SKIPPED] = "skipped", [TUNE_FAILED] = "failed",
};

static bool tune_parse_options(int argc, char **argv, struct tune_options *options,
			       enum command_status *status)
{
	const struct option_row rows[] = {
		OPTION_ROW_CONFIG(&options->config),
		OPTION_ROW_INSTANCE(&options->instance),
		{0, "dry-run", NULL, OPTION_FLAG(&options->dry_run),
		 .help = "show the changes without making them"},
		{0, "revert", NULL, OPTION_FLAG(&options->revert),
		 .help = "put the old values back; needs no configuration"},
		{0, "facts", " FILE", OPTION_TEXT(&options->facts),
		 .help = "with --dry-run: for the host that `check --record` has recorded"},
		OPTION_ROW_JSON(&options->json),
	};
	const struct option_set set = {
		.command = "tune",
		.usage = "[-c FILE] [--dry-run | --revert] [OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};

	return options_parse(argc, argv, &set, status);
}

static enum command_status tune_validate(const struct tune_options *options)
{
	if (options->dry_run && options->revert)
		return command_usage("tune", "give --dry-run or --revert, not both");
	if (options->facts && !options->dry_run)
		return command_usage("tune",
				     "--facts is for --dry-run: another host cannot be tuned");
	return COMMAND_DONE;
}

static size_t count(const struct tune_results *results, enum tune_outcome outcome)
{
	size_t found = 0;

	for (size_t i = 0; i < results->count; i++)
		found += results->list[i].outcome == outcome;
	return found;
}

static void tune_print_json(const struct tune_results *results)
{
	json_t *list = json_array(), *document;
	char name[TUNE_NAME_SIZE];

	for (size_t i = 0; i < results->count; i++) {
		const struct tune_result *result = &results->list[i];

		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s, s:b, s:s}", "setting",
						      tune_name(result->kind, result->object, name),
						      "before", (json_int_t)result->before, "after",
						      (json_int_t)result->after, "outcome",
						      outcomes[result->outcome], "interrupts",
						      result->interrupts, "note", result->note));
	}
	document = json_pack("{s:o}", "settings", list);
	json_dumpf(document, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(document);
}

static void tune_print_text(const struct tune_results *results, const struct tune_options *options)
{
	char name[TUNE_NAME_SIZE];

	for (size_t i = 0; i < results->count; i++) {
		const struct tune_result *result = &results->list[i];
		bool made;

		if (result->outcome == TUNE_UNCHANGED && !options->revert)
			continue;
		made = result->outcome == TUNE_PLANNED || result->outcome == TUNE_CHANGED;
		printf("%-9s  %-40s %6" PRId64 " -> %-6" PRId64 " %s%s\n",
		       outcomes[result->outcome], tune_name(result->kind, result->object, name),
		       result->before, result->after, result->note,
		       made && result->interrupts ? "; interrupts the interface for a moment" : "");
	}
	if (results->count == count(results, TUNE_UNCHANGED) && !options->revert)
		puts("nothing to change: every setting that helps this configuration is made; "
		     "vxlan-pipeline check tells the rest");
	else if (results->count == 0)
		puts("nothing to put back: nothing is recorded");
	else if (options->revert && count(results, TUNE_SKIPPED))
		puts("skipped values stay recorded; the next tune --revert puts them back");
}

static enum command_status report(const struct tune_results *results,
				  const struct tune_options *options)
{
	size_t failed = count(results, TUNE_FAILED);
	struct error error;

	if (options->json)
		tune_print_json(results);
	else
		tune_print_text(results, options);
	if (!failed)
		return COMMAND_DONE;
	error_set(&error, -EIO, "%zu of %zu values could not be %s", failed, results->count,
		  options->revert ? "put back, and stay recorded" : "changed");
	return command_fail(&error);
}

/* Prints the plan for this host, or for the one that a file of facts describes. */
static int tune_print_plan(const struct tune_options *options, const struct config *config,
			   struct tune_plan *planned, struct error *error)
{
	struct host host;
	int err = 0;

	if (options->facts)
		err = host_load_for(&host, options->facts, config, error);
	else
		host_read(&host, config, options->instance);
	if (!err && (host.listen.exists == ANSWER_NO || host.forward.exists == ANSWER_NO))
		err = error_set(error, -ENODEV,
				"there is no interface %s on this host; ip -br link",
				host.listen.exists == ANSWER_NO ? host.listen.name
								: host.forward.name);
	if (!err)
		tune_plan(&host, config, options->instance, planned);
	return err;
}

/* 0; or -errno, and *status is the exit status of the command. */
static int tune(const struct tune_options *options, struct tune_results *results,
		enum command_status *status)
{
	struct tune_plan planned;
	struct config config;
	struct error error;
	char path[256];
	int err;

	if (options->revert) {
		err = tune_revert(options->instance, results, &error);
	} else {
		if (!command_load_config(&config,
					 command_config_path(options->config, options->instance,
							     path, sizeof(path)),
					 NULL, 0, status))
			return -EINVAL;
		if (!options->facts) {
			netdev_find_name(config.listen.interface, &error);
			netdev_find_name(config.forward.interface, &error);
		}
		err = tune_print_plan(options, &config, &planned, &error);
		config_clear(&config);
		if (!err)
			err = options->dry_run
				      ? tune_preview(&planned, results, &error)
				      : tune_apply(&planned, options->instance, results, &error);
	}
	if (err)
		*status = command_fail(&error);
	return err;
}

enum command_status cmd_tune(int argc, char **argv)
{
	struct tune_options options = {.instance = INSTANCE_DEFAULT};
	struct tune_results results = {0};
	enum command_status status;

	if (!tune_parse_options(argc, argv, &options, &status))
		return status;
	status = tune_validate(&options);
	if (status != COMMAND_DONE)
		return status;
	if (!tune(&options, &results, &status))
		status = report(&results, &options);
	tune_results_clear(&results);
	return status;
}
