// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "trial.h"
#include "daemon/next_hops.h"
#include "explain/sandbox.h"

#define FRAMES_PER_BEAT 256 /* far more are run in HEARTBEAT_LIFETIME */

struct trial *trial_new(const struct options *options, struct sums *sums)
{
	struct trial *trial = calloc(1, sizeof(*trial) + options->each * sizeof(trial->frames[0]));

	if (!trial)
		return NULL;
	trial->options = options;
	trial->control = (struct datapath_control)DATAPATH_CONTROL_NONE;
	trial->sums = sums;
	trial->host = (struct model_host){.gateway_mac = {2, 0, 0, 0, 0, 0xfe},
					  .device_mtu = SANDBOX_DEFAULT_MTU};
	return trial;
}

char *scenario_text(const struct scenario *scenario)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (!stream)
		return NULL;
	scenario_print(scenario, stream);
	fclose(stream);
	return text;
}

/* The number of the list's element that a problem is about, from 1; 0: none of that list. */
static size_t element(const struct config_problem *problem, const char *format, size_t count)
{
	size_t index;

	return sscanf(problem->path, format, &index) == 1 && index <= count ? index : 0;
}

/*
 * Removes rules and sources that can never match or are there twice. Any other problem of a
 * scenario is a mistake of the fuzzer: prints it and fails.
 */
static bool drop_idle(struct scenario *scenario, const struct config_problems *problems)
{
	bool rules[SCENARIO_RULES + 1] = {false}, sources[SCENARIO_SOURCES + 1] = {false};

	for (size_t i = 0; i < problems->count; i++) {
		rules[element(&problems->list[i], "nat[%zu]", scenario->rule_count)] = true;
		sources[element(&problems->list[i], "listen.sources[%zu]",
				scenario->source_count)] = true;
		if (rules[0] && sources[0]) {
			config_problems_print(problems, stderr);
			return false;
		}
		rules[0] = sources[0] = false;
	}
	for (size_t i = scenario->rule_count; i; i--)
		if (rules[i])
			scenario_drop_rule(scenario, i - 1);
	for (size_t i = scenario->source_count; i; i--)
		if (sources[i])
			scenario_drop_source(scenario, i - 1);
	return problems->count;
}

/* Loads the scenario's configuration, after removing what the product refuses. */
static bool load_config(struct scenario *scenario, struct config *config)
{
	for (;;) {
		struct config_problems problems;
		char *text = scenario_text(scenario);
		bool again;
		int err;

		if (!text)
			return false;
		err = config_load_text(config, "scenario", text, strlen(text), NULL, 0, &problems);
		free(text);
		again = err && drop_idle(scenario, &problems);
		config_problems_clear(&problems);
		if (!err)
			return true;
		if (!again)
			return false;
	}
}

static bool load_program(struct trial *trial, const struct config *config)
{
	const struct datapath_options options = {.generic = trial->scenario.generic,
						 .multi_buffer = trial->scenario.multi_buffer,
						 .trace = true,
						 .may_pass = true};
	struct datapath_links links;
	struct error error;

	if (sandbox_enter(config, &links, &error)) {
		fprintf(stderr, "differential: %s\n", error.text);
		return false;
	}
	links.rings_each = trial->scenario.rings_each;
	trial->path_mtu = links.egress_mtu;
	memcpy(trial->host.listen_mac, links.listen_mac, 6);
	memcpy(trial->host.egress_mac, links.egress_mac, 6);
	datapath_pass_mac(0, trial->host.pass_mac);
	if (datapath_load(&trial->datapath, config, &links, &options, &error)) {
		fprintf(stderr, "differential: %s\n", error.text);
		return false;
	}
	return true;
}

static bool has_way(const struct ip_address *target)
{
	return target->version == 4 ? target->bytes[0] == 10 : target->bytes[0] >> 5 == 1;
}

/*
 * Fills the table of next hops as a daemon does, with what the simulated routes say, and lives. Of some targets it knows
 * nothing; what their entries hold besides is nothing to go by.
 */
static bool know_hops(struct trial *trial)
{
	struct datapath_control *control = &trial->control;
	struct error error;

	if (trial->scenario.next_hop != BY_ROUTE || !trial->scenario.known_hops)
		return true;
	if (datapath_take_control(trial->datapath, control, &error)) {
		fprintf(stderr, "differential: %s\n", error.text);
		return false;
	}
	for (size_t i = 0; i < control->target_count; i++) {
		struct next_hop hop = {{0xbad0bad0bad0badULL, 0xffffffffffffULL}};

		if (has_way(&control->targets[i]) && random_part(trial->number, i) % 4)
			next_hop_publish(&hop, trial->host.gateway_mac, trial->host.egress_mac,
					 trial->path_mtu, NEXT_HOP_RESOLVED);
		control->next_hops[i] = hop;
		if (i == control->only_index)
			*control->only_hop = hop;
	}
	return true;
}

static void unload(struct trial *trial)
{
	datapath_release_control(&trial->control);
	datapath_free(trial->datapath);
	trial->datapath = NULL;
}

static bool prepare(struct trial *trial, uint64_t number)
{
	uint64_t seed = random_part(trial->options->seed, number);
	struct config config;
	bool loaded;

	trial->number = number;
	trial->count = 0;
	memset(&trial->tally, 0, sizeof(trial->tally));
	scenario_draw(&trial->scenario, seed);
	if (!load_config(&trial->scenario, &config))
		return false;
	loaded = trial->options->model || (load_program(trial, &config) && know_hops(trial));
	config_clear(&config);
	model_start(&trial->model, &trial->scenario, &trial->host);
	traffic_start(&trial->traffic, &trial->scenario, seed ^ 1);
	return loaded;
}

static void count(struct trial *trial)
{
	uint32_t events = compare_events(&trial->outcome.trace);
	struct sums *sums = trial->sums;

	sums->packets++;
	sums->verdicts[compare_verdict(&trial->outcome.trace)]++;
	for (size_t i = 0; i < MODEL_EVENT_COUNT; i++)
		sums->events[i] += events >> i & 1;
}

/* Runs a frame through program and model, and compares them. */
static bool run_frame(struct trial *trial, const struct trial_frame *frame, char *why)
{
	struct error error;

	model_judge(&trial->model, frame->bytes, frame->length, &trial->answer);
	if (datapath_run(trial->datapath, frame->bytes, frame->length, &trial->outcome, &error)) {
		snprintf(why, COMPARE_TEXT, "%.500s", error.text);
		return false;
	}
	return compare_answers(&trial->model, &trial->answer, &trial->outcome, frame->bytes,
			       frame->length, why);
}

/* Does the frame alone, with the configuration loaded again, show the disagreement, too? */
static bool disagrees_alone(struct trial *trial, const struct trial_frame *frame)
{
	struct trial_frame only = *frame;
	char why[COMPARE_TEXT];
	bool agrees;

	unload(trial);
	if (!prepare(trial, trial->number))
		return false;
	agrees = run_frame(trial, &only, why);
	if (!agrees) {
		trial->frames[0] = only;
		trial->count = 1;
	}
	return !agrees;
}

static void disagree(struct trial *trial, const char *why)
{
	size_t all = trial->count;

	__atomic_add_fetch(&trial->sums->disagreements, 1, __ATOMIC_RELAXED);
	trial_report(trial, why);
	if (!disagrees_alone(trial, &trial->frames[all - 1]))
		trial->count = all;
	trial_keep(trial);
}

static bool compare_all(struct trial *trial)
{
	char why[COMPARE_TEXT];

	while (trial->count < trial->options->each) {
		if (trial->count % FRAMES_PER_BEAT == 0)
			datapath_beat(&trial->control);
		struct trial_frame *frame = &trial->frames[trial->count++];

		frame->length = traffic_next(&trial->traffic, frame->bytes);
		if (!run_frame(trial, frame, why)) {
			disagree(trial, why);
			return false;
		}
		count(trial);
		trial_tally(trial, frame);
	}
	if (trial_counts_right(trial, why))
		return true;
	__atomic_add_fetch(&trial->sums->disagreements, 1, __ATOMIC_RELAXED);
	fprintf(stderr, "\nDISAGREEMENT: --seed %llu --scenario %llu: %s\n",
		(unsigned long long)trial->options->seed, (unsigned long long)trial->number, why);
	return false;
}

bool trial_run(struct trial *trial, uint64_t number)
{
	bool good;

	if (!prepare(trial, number)) {
		fprintf(stderr, "differential: --seed %llu --scenario %llu does not load\n",
			(unsigned long long)trial->options->seed, (unsigned long long)number);
		return false;
	}
	trial->sums->scenarios++;
	if (trial->options->model)
		good = trial_print_model(trial);
	else
		good = compare_all(trial);
	unload(trial);
	return good;
}
