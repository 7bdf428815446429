// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/interrupt.h"
#include "cli/monitor_screen.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "instance/bpffs.h"
#include "observe/monitor.h"

#define MAX_INTERVAL 86400
#define MAX_COUNT    1000000000

static const char about[] =
	"Shows the rates of an instance until it is interrupted: on a terminal as a screen, with\n"
	"its health, what becomes of packets, losses, next hops, and the rules and VNIs with the\n"
	"most traffic; else, and with -n, as a line every interval. STATUS is OK at or above\n"
	"monitor.target_pps, LOW at or above warning_pps, else BELOW; IDLE without traffic.";

struct monitor_options {
	const char *instance;
	enum command_color color;
	unsigned int interval; /* seconds; 0: not given */
	unsigned int count;    /* lines; 0: not given */
};

/* Adds the interval to *at and sleeps until then, so that lines do not drift. */
static void sleep_until_next(struct timespec *at, unsigned int seconds)
{
	at->tv_sec += seconds;
	while (!interrupt_caught && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL))
		;
}

/* An instance that goes after it was seen may come again: says so once, on standard error. */
static void note_presence(const char *instance, bool present, bool *was_present)
{
	if (present != *was_present)
		fprintf(stderr,
			present ? "vxlan-pipeline: instance %s is attached again\n"
				: "vxlan-pipeline: nothing of instance %s is attached any more; "
				  "waiting for it\n",
			instance);
	*was_present = present;
}

/* The next reading. -ENOENT: nothing is attached; what comes then is counted from its first reading. */
static int take_rates(const char *instance, struct monitor *monitor, struct monitor_rates *rates,
		      unsigned int *interval, struct error *error)
{
	struct instance_info info;
	struct counters counters;
	int err = datapath_read_counters(instance, &counters, &info, error);

	memset(rates, 0, sizeof(*rates));
	if (err) {
		monitor->at = (struct timespec){0};
		return err;
	}
	monitor->target_pps = info.target_pps;
	monitor->warning_pps = info.warning_pps;
	*interval = info.monitor_interval;
	*rates = monitor_take(monitor, &counters);
	return 0;
}

static enum command_status watch_lines(const struct monitor_options *options)
{
	struct monitor monitor = {.color = command_color_on(options->color, stdout)};
	unsigned int lines = 0, interval = 1;
	bool seen = false, present = true;
	struct monitor_rates rates;
	struct timespec at;
	struct error error;

	clock_gettime(CLOCK_MONOTONIC, &at);
	for (;;) {
		int err = take_rates(options->instance, &monitor, &rates, &interval, &error);

		if (err && (err != -ENOENT || !seen))
			return command_fail(&error);
		note_presence(options->instance, !err, &present);
		if (!seen)
			monitor_print_header(stdout);
		seen = true;
		if (rates.seconds > 0) {
			monitor_print_line(&monitor, &rates, stdout);
			lines++;
		}
		if (fflush(stdout) || (options->count && lines == options->count))
			return COMMAND_DONE;
		sleep_until_next(&at, options->interval ? options->interval : interval);
		if (interrupt_caught)
			return COMMAND_DONE;
	}
}

enum command_status cmd_monitor(int argc, char **argv)
{
	struct monitor_options options = {.instance = INSTANCE_DEFAULT};
	const struct option_row rows[] = {
		OPTION_ROW_INSTANCE(&options.instance),
		{'I', "interval", " S", OPTION_NUMBER(&options.interval, 1, MAX_INTERVAL),
		 .help = "seconds between lines (default: monitor.interval), or\n"
			 "between screens (default: 1)"},
		{'n', "count", " N", OPTION_NUMBER(&options.count, 1, MAX_COUNT),
		 .help = "print N lines and end, also on a terminal"},
		OPTION_ROW_COLOR(&options.color),
	};
	const struct option_set set = {
		.command = "monitor",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	instance_follow_daemon(options.instance);
	if (!options.count && terminal_is_screen())
		return monitor_screen(options.instance, options.interval ? options.interval : 1,
				      command_color_on(options.color, stdout));
	interrupt_catch(0);
	return watch_lines(&options);
}
