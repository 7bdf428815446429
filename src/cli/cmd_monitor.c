// SPDX-License-Identifier: GPL-2.0-only
#include <time.h>
#include <unistd.h>

#include "instance/bpffs.h"
#include "observe/monitor.h"
#include "cli/interrupt.h"
#include "cli/options.h"

#define LINES_PER_HEADER 20
#define MAX_INTERVAL     86400
#define MAX_COUNT        1000000000

static const char about[] =
	"Prints the rates of an instance, a line every interval, until it is interrupted.\n"
	"STATUS is OK at or above monitor.target_pps, LOW at or above warning_pps, else BELOW;\n"
	"IDLE without traffic.";

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

static enum command_status monitor_watch(const struct monitor_options *options)
{
	struct monitor monitor = {.color = command_color_on(options->color, stdout)};
	bool terminal = isatty(STDOUT_FILENO) == 1;
	unsigned int lines = 0;
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	for (;;) {
		struct instance_info info;
		struct counters counters;
		struct monitor_rates rates;
		struct error error;

		if (datapath_read_counters(options->instance, &counters, &info, &error))
			return command_fail(&error);
		monitor.target_pps = info.target_pps;
		monitor.warning_pps = info.warning_pps;
		rates = monitor_take(&monitor, &counters);
		if (rates.seconds > 0)
			monitor_print_line(&monitor, &rates, stdout);
		if (lines == 0 || (terminal && lines % LINES_PER_HEADER == 0 && rates.seconds > 0))
			monitor_print_header(stdout);
		if (fflush(stdout) || (options->count && lines == options->count))
			return COMMAND_DONE;
		lines++;
		sleep_until_next(&at,
				 options->interval ? options->interval : info.monitor_interval);
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
		 .help = "seconds between lines (default: monitor.interval)"},
		{'n', "count", " N", OPTION_NUMBER(&options.count, 1, MAX_COUNT),
		 .help = "end after N lines"},
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
	interrupt_catch(0);
	return monitor_watch(&options);
}
