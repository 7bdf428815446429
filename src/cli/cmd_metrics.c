// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/judged.h"
#include "cli/options.h"
#include "instance/bpffs.h"
#include "instance/drained.h"
#include "instance/reloads.h"
#include "observe/cloudwatch.h"

static const char about[] =
	"Prints what /metrics answers, whether or not a daemon runs, without the numbers of its\n"
	"process; or the input of `aws cloudwatch put-metric-data --cli-input-json`, in which\n"
	"counters are what was added since the last time that it was sent.";

enum metrics_format { FORMAT_PROMETHEUS, FORMAT_CLOUDWATCH };

static const char *const format_names[] = {
	[FORMAT_PROMETHEUS] = "prometheus",
	[FORMAT_CLOUDWATCH] = "cloudwatch",
	NULL,
};

struct metrics_options {
	const char *instance;
	enum metrics_format format;
	struct cloudwatch_dimensions dimensions;
	const char *since; /* NULL: CLOUDWATCH_STATE/INSTANCE/CLOUDWATCH_FILE */
	const char *save;  /* NULL: nowhere */
};

/* Everything that is printed, read at one time. */
struct reading {
	struct judged judged;
	struct datapath_stats stats;
	struct loss_table losses;
	struct metrics metrics;
};

static void reading_clear(struct reading *reading)
{
	datapath_stats_clear(&reading->stats);
	loss_table_clear(&reading->losses);
}

/*
 * The numbers of its process have no prefix. A collector of text files has such numbers of its own, and
 * of two that are called the same it loses one, and complains at each scrape.
 */
static void note_daemon(struct reading *reading, const char *instance)
{
	struct instance_reloads reloads;

	reading->metrics.daemon_running = reading->judged.daemon.place != DAEMON_NOWHERE;
	if (instance_read_reloads(instance, &reloads))
		return;
	reading->metrics.reloaded_at = reloads.ended_at;
	reading->metrics.reload_failed = reloads.failed;
}

static int read_all(const char *instance, struct reading *reading, struct error *error)
{
	int err = judge_instance(instance, &reading->judged, error);

	if (!err)
		err = datapath_read(instance, &reading->stats, error);
	if (!err && reading->stats.state != DATAPATH_ABSENT)
		err = loss_collect(&reading->losses, &reading->stats.counters,
				   &reading->judged.condition, error);
	if (err)
		return err;
	reading->metrics = (struct metrics){.stats = &reading->stats,
					    .condition = &reading->judged.condition,
					    .losses = &reading->losses,
					    .health = &reading->judged.health,
					    .draining = instance_is_drained(instance)};
	note_daemon(reading, instance);
	return 0;
}

/* Where nothing is attached, or nothing seen of it, what was sent last is still that. */
static int save_state(const char *path, const struct metrics *metrics, json_t *now, json_t *sent,
		      struct error *error)
{
	bool absent = metrics->stats->state == DATAPATH_ABSENT;

	return path ? cloudwatch_save(path, absent && sent ? sent : now, error) : 0;
}

static int print_cloudwatch(const struct metrics_options *options, const struct metrics *metrics,
			    struct error *error)
{
	char path[INSTANCE_PATH_SIZE];
	json_t *now = cloudwatch_state(metrics), *sent = NULL, *document = NULL;
	int err;

	snprintf(path, sizeof(path), CLOUDWATCH_STATE "/%s/" CLOUDWATCH_FILE, options->instance);
	err = cloudwatch_load(options->since ? options->since : path, &sent, error);
	if (!err)
		err = save_state(options->save, metrics, now, sent, error);
	if (!err) {
		document = cloudwatch_document(metrics, now, sent, &options->dimensions);
		err = document ? 0 : error_set(error, -EINVAL, "a dimension is not UTF-8");
	}
	if (!err) {
		json_dumpf(document, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(document);
	json_decref(sent);
	json_decref(now);
	return err;
}

static enum command_status metrics_run(const struct metrics_options *options)
{
	struct reading reading = {0};
	struct error error;
	int err;

	instance_follow_daemon(options->instance);
	err = read_all(options->instance, &reading, &error);
	if (!err && options->format == FORMAT_CLOUDWATCH)
		err = print_cloudwatch(options, &reading.metrics, &error);
	else if (!err)
		metrics_print(&reading.metrics, stdout);
	reading_clear(&reading);
	if (!err && fflush(stdout))
		err = error_set(&error, -errno, "cannot print: %s", strerror(errno));
	return err ? command_fail(&error) : COMMAND_DONE;
}

enum command_status cmd_metrics(int argc, char **argv)
{
	struct metrics_options options = {.instance = INSTANCE_DEFAULT};
	const struct option_row rows[] = {
		OPTION_ROW_INSTANCE(&options.instance),
		OPTION_ROW(0, "format", " FORMAT", OPTION_WORD(&options.format, format_names),
			   .help = "prometheus or cloudwatch (default prometheus)"),
		OPTION_HEADING("With --format cloudwatch:"),
		OPTION_ROW(0, "group", " NAME", OPTION_TEXT(&options.dimensions.group),
			   .help = "figures under the dimension AutoScalingGroupName"),
		OPTION_ROW(0, "instance-id", " ID", OPTION_TEXT(&options.dimensions.instance),
			   .help = "figures under the dimension InstanceId"),
		OPTION_ROW(0, "since", " FILE", OPTION_TEXT(&options.since),
			   .help = "what was sent last (default " CLOUDWATCH_STATE
				   "/NAME/" CLOUDWATCH_FILE
				   ");\nwithout the file counters are left "
				   "out"),
		OPTION_ROW(0, "save", " FILE", OPTION_TEXT(&options.save),
			   .help = "write what is to be that file once this was sent"),
	};
	const struct option_set set = {
		.command = "metrics",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	return metrics_run(&options);
}
