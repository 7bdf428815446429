// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <time.h>

#include <jansson.h>

#include "instance.h"
#include "monitor.h"
#include "netdev.h"
#include "read_options.h"

#define SAMPLE_NS   500000000L /* how long the rate is measured */
#define MAX_REASONS 8

static const char help[] =
	"Says whether an instance is attached, in which mode, since when, whether it is healthy\n"
	"or why not, and how many packets a second arrive.";

struct status {
	const char *state; /* running, detached or unattended */
	const char *mode;  /* NULL: not attached */
	pid_t pid;         /* 0: no daemon */
	char since[32];    /* RFC 3339; empty: not attached */
	char listen[16];
	char egress[16];
	char reasons[MAX_REASONS][128];
	size_t reason_count;
	double pps;
};

static void add_reason(struct status *status, const char *name, const char *text)
{
	if (status->reason_count < MAX_REASONS)
		snprintf(status->reasons[status->reason_count++], sizeof(status->reasons[0]),
			 "%s%s%s", name, *name ? " " : "", text);
}

static void check_link(struct status *status, const char *name)
{
	struct netdev netdev;
	struct error error;

	if (netdev_get(name, &netdev, &error))
		add_reason(status, name, "does not exist");
	else if (!netdev.up)
		add_reason(status, name, "is down");
	else if (!netdev.carrier)
		add_reason(status, name, "has no carrier");
}

static int measure(const char *instance, struct status *status, struct error *error)
{
	const struct timespec pause = {.tv_nsec = SAMPLE_NS};
	struct monitor monitor = {0};
	struct instance_info info;
	struct counters counters;

	for (int reading = 0; reading < 2; reading++) {
		int err = datapath_read_counters(instance, &counters, &info, error);

		if (err)
			return err;
		status->pps = monitor_take(&monitor, &counters).pps;
		if (reading == 0)
			nanosleep(&pause, NULL);
	}
	return 0;
}

static void format_since(const struct instance_info *info, char *text, size_t size)
{
	time_t seconds = info->attached_at / 1000000000;
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static int find_out(const char *instance, struct status *status, struct error *error)
{
	struct datapath_stats stats;
	int err = datapath_read(instance, &stats, error);

	if (err)
		return err;
	status->pid = instance_daemon(instance);
	if (stats.state != DATAPATH_ATTACHED) {
		status->state = "detached";
		add_reason(status, "",
			   stats.state == DATAPATH_ABSENT
				   ? "nothing is attached"
				   : "the program was detached from its interface");
	} else {
		status->state = status->pid ? "running" : "unattended";
		status->mode = stats_mode(&stats.info);
		snprintf(status->listen, sizeof(status->listen), "%s", stats.info.listen);
		snprintf(status->egress, sizeof(status->egress), "%s", stats.info.egress);
		format_since(&stats.info, status->since, sizeof(status->since));
		check_link(status, status->listen);
		check_link(status, status->egress);
		err = measure(instance, status, error);
	}
	datapath_stats_clear(&stats);
	return err;
}

static void print_json(const char *instance, const struct status *status)
{
	json_t *reasons = json_array(), *document;

	for (size_t i = 0; i < status->reason_count; i++)
		json_array_append_new(reasons, json_string(status->reasons[i]));
	document = json_pack("{s:s, s:s, s:s?, s:o, s:s?, s:b, s:o, s:f}", "instance", instance,
			     "state", status->state, "mode", status->mode, "pid",
			     status->pid ? json_integer(status->pid) : json_null(), "since",
			     *status->since ? status->since : NULL, "healthy",
			     status->reason_count == 0, "reasons", reasons, "pps", status->pps);
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(document);
}

static void print_text(const char *instance, const struct status *status, bool color)
{
	bool healthy = status->reason_count == 0;

	printf("instance %s: %s\n", instance, status->state);
	if (status->mode)
		printf("  interfaces  %s -> %s, %s mode\n  since       %s\n", status->listen,
		       status->egress, status->mode, status->since);
	if (status->pid)
		printf("  daemon      process %d\n", (int)status->pid);
	else if (status->mode)
		printf("  daemon      none; the datapath goes on without it\n");
	if (status->mode)
		printf("  rate        %.0f packets a second\n", status->pps);
	printf("  health      %s%s%s\n", color ? (healthy ? "\033[32m" : "\033[31m") : "",
	       healthy ? "good" : "bad", color ? "\033[0m" : "");
	for (size_t i = 0; i < status->reason_count; i++)
		printf("              %s\n", status->reasons[i]);
}

enum command_status cmd_status(int argc, char **argv)
{
	struct read_options options;
	struct status found = {0};
	enum command_status status;
	struct error error;

	if (!read_options_parse(argc, argv, READ_JSON | READ_COLOR, help, &options, &status))
		return status;
	if (find_out(options.instance, &found, &error))
		return command_fail(&error);
	if (options.json)
		print_json(options.instance, &found);
	else
		print_text(options.instance, &found, command_color_on(options.color, stdout));
	return COMMAND_DONE;
}
