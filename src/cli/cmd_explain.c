// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explain/capture.h"
#include "cli/command.h"
#include "explain/explain.h"
#include "explain/json.h"
#include "explain/text.h"
#include "explain/unreadable.h"
#include "cli/interrupt.h"
#include "datapath/probe.h"
#include "cli/options.h"
#include "explain/sandbox.h"

struct explain_options {
	const char *config_file;
	const char *input;
	const char *output; /* NULL: none */
	bool json;
	enum command_color color;
};

/* One run of the command: what it reads, what it runs and what it writes. */
struct explain_run {
	const struct explain_options *options;
	struct config config;
	struct capture *capture;
	struct capture_writer *writer;
	struct datapath *datapath;
	struct explanation *explanation;
	struct rule_names names;
	struct explain_text text;
	struct explain_totals totals;
	struct error end; /* with ends_early: what keeps the rest of the capture from being read */
	bool ends_early;
	bool written; /* the output is in its place */
};

static const char about[] =
	"Runs every packet of a capture (pcap or pcapng, Ethernet; - is standard input)\n"
	"through the very program that a configuration loads, and tells what arrived,\n"
	"which rule matched, what leaves and what changed. Needs root. The host's\n"
	"interfaces, routes and neighbours play no part: the configuration's interfaces\n"
	"are made up in a private network namespace, where every destination is reached\n"
	"through a simulated gateway.";

static enum command_status check_operands(struct explain_options *options, int argc, char **argv)
{
	if (optind >= argc)
		return command_usage("explain", "which capture? Name a pcap file, or -");
	if (optind + 1 < argc)
		return command_usage("explain", "one capture at a time: '%s' is too many",
				     argv[optind + 1]);
	options->input = argv[optind];
	if (options->output && strcmp(options->output, "-") == 0) {
		if (options->json)
			return command_usage("explain",
					     "-w - and --json both want standard output");
		if (isatty(STDOUT_FILENO))
			return command_usage("explain", "-w - would write a capture to the "
							"terminal; redirect it");
	}
	return COMMAND_DONE;
}

/* Returns whether to go on; if not, *status is what to end with. */
static bool parse_options(struct explain_options *options, int argc, char **argv,
			  enum command_status *status)
{
	const struct option_row rows[] = {
		{'c', "config", " FILE", OPTION_TEXT(&options->config_file),
		 .help = "the configuration (default " COMMAND_CONFIG_DIR "/" INSTANCE_DEFAULT
			 ".yaml)"},
		{'w', "write", " FILE", OPTION_TEXT(&options->output),
		 .help = "also write the packets that leave, with their times; with -\n"
			 "to standard output, and nothing else"},
		OPTION_ROW_JSON(&options->json),
		OPTION_ROW_COLOR(&options->color),
	};
	const struct option_set set = {
		.command = "explain",
		.usage = "[-c FILE] IN.pcap [-w OUT.pcap] [--json]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
		.after = "Exit status: 0 done; 1 failed, or a packet of the capture could not be "
			 "judged:\n"
			 "what could be is printed and written all the same; 2 bad usage or bad\n"
			 "configuration.",
		.has_operands = true,
	};

	if (!options_parse(argc, argv, &set, status))
		return false;
	*status = check_operands(options, argc, argv);
	return *status == COMMAND_DONE;
}

static bool has_text(const struct explain_options *options)
{
	return !options->json && !(options->output && strcmp(options->output, "-") == 0);
}

static int explain_next(struct explain_run *run, const struct capture_packet *packet,
			struct error *error)
{
	struct explanation *explanation = run->explanation;
	int err;

	explanation->number = run->totals.packets + 1;
	err = explain_packet(explanation, run->datapath, &run->config, &run->names, packet, error);
	if (err)
		return err;
	explain_count(&run->totals, explanation);
	if (run->options->json)
		err = explain_json_packet(stdout, explanation);
	else if (has_text(run->options))
		explain_text_packet(&run->text, explanation);
	if (err)
		return error_set(error, err, "%s", strerror(-err));
	for (size_t i = 0; run->writer && i < explanation->out_count; i++) {
		if (explain_forwarded(explanation))
			capture_write(run->writer, &packet->time, explanation->outs[i].bytes,
				      explanation->outs[i].length);
	}
	return 0;
}

/* Explains packets until the capture ends, or until the rest of it cannot be read: no failure here. */
static int explain_all(struct explain_run *run, struct error *error)
{
	struct capture_packet packet;

	while (!interrupt_caught && !ferror(stdout)) {
		int got = capture_next(run->capture, &packet, &run->end), err = 0;

		if (got <= 0 && !interrupt_caught) {
			run->ends_early = got < 0;
			return 0;
		}
		if (got > 0)
			err = explain_next(run, &packet, error);
		if (err && !interrupt_caught)
			return err;
	}
	if (!interrupt_caught)
		return 0; /* standard output failed: explain_finish() says why */
	return error_set(error, -EINTR, "interrupted after %llu packets",
			 (unsigned long long)run->totals.packets);
}

static void explain_begin(const struct explain_run *run)
{
	if (run->options->json)
		explain_json_begin(stdout, run->options->input);
	else if (has_text(run->options))
		explain_text_begin(&run->text, run->options->input, &run->config);
}

/* Says which packets of the capture have no verdict. False: each of them has one. */
static bool explain_is_partial(const struct explain_run *run, struct error *error)
{
	const struct explain_totals *totals = &run->totals;
	char unjudged[EXPLAIN_PROBLEM + 96] = "";

	if (totals->not_run)
		snprintf(unjudged, sizeof(unjudged),
			 "%llu of %llu packets could not be judged; the first is #%llu: %s",
			 (unsigned long long)totals->not_run, (unsigned long long)totals->packets,
			 (unsigned long long)totals->first_not_run, totals->problem);
	if (!totals->not_run)
		*error = run->end;
	else
		error_set(error, 0, "%.100s: %s%s%s", unreadable_name(run->options->input),
			  unjudged, run->ends_early ? "; " : "", run->end.text);
	return run->ends_early || totals->not_run;
}

/* Puts the output in its place, unless nothing could be read that would be in it. */
static int explain_commit(struct explain_run *run, struct error *error)
{
	int err;

	if (!run->writer || (run->ends_early && !run->totals.packets))
		return 0;
	err = capture_commit(run->writer, error);
	run->writer = NULL;
	run->written = !err;
	return err;
}

/*
 * Ends what explain_begin() began, also when the packets ended in a failure. -ENODATA: packets of the
 * capture could not be judged; the others are told and written.
 */
static int explain_finish(struct explain_run *run, int err, struct error *error)
{
	bool partial = !err && explain_is_partial(run, error);

	errno = 0;
	if (run->options->json)
		explain_json_end(stdout, &run->totals, err || partial ? error->text : NULL);
	else if (has_text(run->options))
		explain_text_end(&run->text, &run->totals);
	if ((fflush(stdout) != 0 || ferror(stdout)) && !err)
		err = error_set(error, -EIO, "standard output: %s", strerror(errno ? errno : EIO));
	if (!err)
		err = explain_commit(run, error);
	return !err && partial ? -ENODATA : err;
}

/* Everything that can be refused is, before a packet is read. */
static int prepare(struct explain_run *run, struct error *error)
{
	const struct datapath_options options = {
		.generic = run->config.listen.xdp_mode == XDP_MODE_GENERIC,
		.multi_buffer = datapath_can_take_buffers(),
		.trace = true,
		.may_pass = true,
	};
	struct datapath_links links;
	int err = capture_open(&run->capture, run->options->input, error);

	if (!err && run->options->output)
		err = capture_create(&run->writer, run->options->output, run->capture, error);
	if (!err)
		err = sandbox_enter(&run->config, &links, error);
	if (!err)
		err = datapath_load(&run->datapath, &run->config, &links, &options, error);
	if (err && interrupt_caught)
		return error_set(error, -EINTR, "interrupted");
	if (err)
		return err;
	datapath_park(run->datapath);
	run->explanation = calloc(1, sizeof(*run->explanation));
	if (run->explanation)
		err = rule_names_make(&run->names, run->config.rules, run->config.rule_count);
	return run->explanation && !err ? 0 : error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
}

static enum command_status explain_fail(const struct explain_run *run, const struct error *error)
{
	const char *output = run->options->output;
	struct error whole;

	if ((!run->writer && !run->written) || strcmp(output, "-") == 0)
		return command_fail(error);
	/* behind the cause there may be a command */
	error_set(&whole, 0, "%.80s %s: %.600s", output,
		  run->written ? "holds what leaves of those that could be judged"
			       : "was not written",
		  error->text);
	return command_fail(&whole);
}

static enum command_status explain(struct explain_run *run)
{
	enum command_status status = COMMAND_DONE;
	struct error error;
	int err = prepare(run, &error);

	if (!err) {
		explain_begin(run);
		err = explain_finish(run, explain_all(run, &error), &error);
	}
	if (err)
		status = explain_fail(run, &error);
	datapath_free(run->datapath);
	capture_discard(run->writer);
	capture_close(run->capture);
	free(run->explanation);
	rule_names_clear(&run->names);
	return status;
}

enum command_status cmd_explain(int argc, char **argv)
{
	struct explain_options options = {0};
	struct explain_run run = {.options = &options, .text.stream = stdout};
	enum command_status status;
	char buffer[256];
	const char *path;

	if (!parse_options(&options, argc, argv, &status))
		return status;
	path = command_config_path(options.config_file, NULL, buffer, sizeof(buffer));
	if (!command_load_config(&run.config, path, NULL, 0, &status))
		return status;
	run.text.mtu = run.config.forward.mtu ? run.config.forward.mtu : SANDBOX_DEFAULT_MTU;
	run.text.color = command_color_on(options.color, stdout);
	/* an interrupted run removes its unfinished output file */
	interrupt_catch(INTERRUPT_HANGUP | INTERRUPT_ONCE);
	signal(SIGPIPE, SIG_IGN);
	status = explain(&run);
	config_clear(&run.config);
	return status;
}
