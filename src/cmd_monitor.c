// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "monitor.h"
#include "read_options.h"

#define LINES_PER_HEADER 20

static const char help[] =
	"Prints the rates of an instance, a line every interval, until it is interrupted.\n"
	"STATUS is OK at or above monitor.target_pps, LOW at or above warning_pps, else BELOW;\n"
	"IDLE without traffic.";

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* Sleeps until `*at` plus the interval, and moves `*at` there, so that lines do not drift. */
static void sleep_until_next(struct timespec *at, unsigned int seconds)
{
	at->tv_sec += seconds;
	while (!interrupted && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL))
		;
}

static enum command_status watch(const struct read_options *options)
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
		if (interrupted)
			return COMMAND_DONE;
	}
}

enum command_status cmd_monitor(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = interrupt};
	struct read_options options;
	enum command_status status;

	if (!read_options_parse(argc, argv, READ_COLOR | READ_INTERVAL, help, &options, &status))
		return status;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return watch(&options);
}
