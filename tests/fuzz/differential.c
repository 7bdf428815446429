// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs random packets under random configurations through the programs that `run` and `explain`
 * load, and compares the results with the model's. Needs root; does not use the host's interfaces.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compare.h"
#include "differential.h"

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void usage(FILE *stream)
{
	fputs("Usage: differential [OPTIONS]\n\n"
	      "  --seed N           what packets and configurations are drawn from\n"
	      "  --packets N        how many (default 100000)\n"
	      "  --each N           for each configuration (default 4000)\n"
	      "  --scenario N       only this configuration of the seed\n"
	      "  --seconds N        stop after that long, with what was compared by then\n"
	      "  --processes N      how many at once (default 2)\n"
	      "  --keep DIR         where a disagreement is kept (default build/fuzz)\n"
	      "  --model            run nothing: print packets and the model's answers, a line "
	      "each\n",
	      stream);
}

static bool parse_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && end != text && !*end;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{"seed", required_argument, NULL, 's'},
		{"packets", required_argument, NULL, 'p'},
		{"each", required_argument, NULL, 'e'},
		{"scenario", required_argument, NULL, 'n'},
		{"seconds", required_argument, NULL, 't'},
		{"processes", required_argument, NULL, 'j'},
		{"keep", required_argument, NULL, 'k'},
		{"model", no_argument, NULL, 'm'},
		{0},
	};
	uint64_t *numbers[128] = {
		['s'] = &options->seed,     ['p'] = &options->packets, ['e'] = &options->each,
		['n'] = &options->scenario, ['t'] = &options->seconds, ['j'] = &options->processes};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == '?')
			return false;
		if (option == 'k')
			options->keep = optarg;
		else if (option == 'm')
			options->model = true;
		else if (!parse_number(optarg, numbers[option]))
			return false;
	}
	return optind == argc && options->each && options->each <= MODEL_DECISIONS / 2 &&
	       options->processes && options->processes <= MAX_PROCESSES;
}

/* After one disagreement all processes stop. */
static bool is_over(const struct options *options, const struct sums *all)
{
	for (uint64_t i = 0; i < options->processes; i++)
		if (__atomic_load_n(&all[i].disagreements, __ATOMIC_RELAXED))
			return true;
	return options->deadline && now() > options->deadline;
}

static void work(const struct options *options, uint64_t process, struct sums *all)
{
	uint64_t scenarios = (options->packets + options->each - 1) / options->each;
	struct trial *trial = trial_new(options, &all[process]);
	bool good = trial;

	if (options->scenario != NO_SCENARIO)
		good = good && trial_run(trial, options->scenario);
	else
		for (uint64_t i = process; good && i < scenarios && !is_over(options, all);
		     i += options->processes)
			good = trial_run(trial, i);
	fflush(stdout);
	_exit(good ? 0 : 1);
}

static bool wait_for(const pid_t *children, uint64_t count)
{
	bool good = true;
	int status;

	for (uint64_t i = 0; i < count; i++)
		if (children[i] < 0 || waitpid(children[i], &status, 0) < 0 || status)
			good = false;
	return good;
}

static void print_counts(const char *what, const char *const *names, const uint64_t *counts,
			 size_t count)
{
	printf("%s:", what);
	for (size_t i = 0; i < count; i++)
		printf(" %s %llu", names[i], (unsigned long long)counts[i]);
	putchar('\n');
}

/* Fails if a verdict or an event never came about: what it stands for was not tested. */
static bool reaches_all(const struct sums *sums)
{
	bool all = true;

	for (size_t i = 0; i < MODEL_VERDICT_COUNT; i++) {
		if (sums->verdicts[i] || i == IS_error)
			continue;
		printf("no packet ended in %s: the fuzzer reaches too little\n",
		       model_verdict_names[i]);
		all = false;
	}
	for (size_t i = 0; i < MODEL_EVENT_COUNT; i++) {
		if (sums->events[i] || i == DID_neighbour_unknown) /* the gateway is always known */
			continue;
		printf("event %s never happened: the fuzzer reaches too little\n",
		       model_event_names[i]);
		all = false;
	}
	return all;
}

static bool report(const struct options *options, const struct sums *each, uint64_t started)
{
	struct sums all = {0};
	double seconds = (double)(now() - started) / 1e9;

	for (uint64_t i = 0; i < options->processes; i++) {
		all.packets += each[i].packets;
		all.scenarios += each[i].scenarios;
		all.disagreements += each[i].disagreements;
		for (size_t n = 0; n < MODEL_VERDICT_COUNT; n++)
			all.verdicts[n] += each[i].verdicts[n];
		for (size_t n = 0; n < MODEL_EVENT_COUNT; n++)
			all.events[n] += each[i].events[n];
	}
	print_counts("verdicts", model_verdict_names, all.verdicts, MODEL_VERDICT_COUNT);
	print_counts("events", model_event_names, all.events, MODEL_EVENT_COUNT);
	printf("%llu packets under %llu configurations, %llu disagreements, %.1f seconds, %.0f a "
	       "second (seed %llu)\n",
	       (unsigned long long)all.packets, (unsigned long long)all.scenarios,
	       (unsigned long long)all.disagreements, seconds, (double)all.packets / seconds,
	       (unsigned long long)options->seed);
	if (all.disagreements || !all.packets)
		return false;
	return all.packets < MANY_PACKETS || reaches_all(&all);
}

static bool run_all(struct options *options)
{
	size_t size = MAX_PROCESSES * sizeof(struct sums);
	struct sums *sums =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[MAX_PROCESSES];
	uint64_t started = now();
	bool good;

	if (sums == MAP_FAILED)
		return false;
	if (options->seconds)
		options->deadline = started + options->seconds * 1000000000;
	fflush(stdout);
	for (uint64_t i = 0; i < options->processes; i++) {
		children[i] = fork();
		if (children[i] == 0)
			work(options, i, sums);
	}
	good = wait_for(children, options->processes);
	good = report(options, sums, started) && good;
	munmap(sums, size);
	return good;
}

int main(int argc, char **argv)
{
	struct options options = {.packets = 100000,
				  .each = 4000,
				  .scenario = NO_SCENARIO,
				  .processes = 2,
				  .keep = "build/fuzz"};

	options.seed = now() ^ (uint64_t)getpid() << 32;
	options.seed %= 1000000000;
	if (!parse_options(argc, argv, &options)) {
		usage(stderr);
		return 2;
	}
	if (options.scenario != NO_SCENARIO || options.model)
		options.processes = 1;
	return compare_start() && run_all(&options) ? 0 : 1;
}
