// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/options.h"
#include "datapath/owner.h"
#include "instance/bpffs.h"
#include "observe/look.h"
#include "observe/stats.h"

#define MAX_DURING 86400

static const char about[] =
	"Prints every counter of an instance, whether or not its daemon runs: since it was\n"
	"attached, or with --during what comes in a second, with the sizes of frames and the time\n"
	"that the program takes.";

struct stats_options {
	const char *instance;
	unsigned int during; /* seconds; 0: not given */
	bool json;
};

/* 0, or a negative errno: also where nothing is attached. */
static int take_attached(struct look *look, const char *instance, struct health_watch *watch,
			 struct error *error)
{
	int err = look_take(look, instance, watch, error);

	if (!err && look->stats.state == DATAPATH_ABSENT) {
		look_clear(look);
		return datapath_not_attached(instance, error);
	}
	return err;
}

/* Sleeps, and leaves in *look what was counted meanwhile. */
static int take_during(struct look *look, const struct stats_options *options,
		       struct health_watch *watch, double *seconds, struct error *error)
{
	struct timespec left = {.tv_sec = options->during};
	int64_t began = clock_ms();
	struct look later;
	int err;

	while (nanosleep(&left, &left))
		;
	err = take_attached(&later, options->instance, watch, error);
	if (err)
		return err;
	*seconds = (double)(clock_ms() - began) / 1e3;
	if (later.stats.info.attached_at != look->stats.info.attached_at) {
		*seconds = stats_uptime(&later.stats.info);
		fprintf(stderr,
			"vxlan-pipeline: the counters of instance %s began anew meanwhile: this "
			"is of the %.1f s since\n",
			options->instance, *seconds);
	}
	err = stats_subtract(&later.stats, &look->stats);
	look_clear(look);
	*look = later;
	return err ? error_set(error, err, "%s", strerror(-err)) : 0;
}

static void show(const struct stats_options *options, const struct look *look, double seconds)
{
	const struct stats_view view = {.instance = options->instance,
					.stats = &look->stats,
					.condition = &look->condition,
					.health = &look->health,
					.losses = &look->losses,
					.seconds = seconds};
	json_t *document;

	if (!options->json) {
		stats_print(&view, stdout);
		return;
	}
	document = stats_json(&view);
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(document);
}

enum command_status cmd_stats(int argc, char **argv)
{
	struct stats_options options = {.instance = INSTANCE_DEFAULT};
	const struct option_row rows[] = {
		OPTION_ROW_INSTANCE(&options.instance),
		{0, "during", " S", OPTION_NUMBER(&options.during, 1, MAX_DURING),
		 .help = "count for S seconds, and print what that is a second"},
		OPTION_ROW_JSON(&options.json),
	};
	const struct option_set set = {
		.command = "stats",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	struct health_watch watch = {0};
	enum command_status status;
	double seconds = 0;
	struct error error;
	struct look look;
	int err;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	instance_follow_daemon(options.instance);
	err = take_attached(&look, options.instance, &watch, &error);
	if (err)
		return command_fail(&error);
	if (options.during)
		err = take_during(&look, &options, &watch, &seconds, &error);
	if (!err)
		show(&options, &look, seconds);
	look_clear(&look);
	return err ? command_fail(&error) : COMMAND_DONE;
}
