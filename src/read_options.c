// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <string.h>

#include "instance.h"
#include "read_options.h"

#define MAX_INTERVAL 86400
#define MAX_COUNT    1000000000

enum { INSTANCE = 256, JSON, COLOR, UNDO };

static void print_help(const char *command, unsigned int takes, const char *help)
{
	printf("Usage: %s [OPTIONS]\n\n%s\n\n"
	       "      --instance NAME   which instance (default " COMMAND_DEFAULT_INSTANCE ")\n",
	       command, help);
	if (takes & READ_JSON)
		printf("      --json            one JSON document and nothing else\n");
	if (takes & READ_INTERVAL)
		printf("  -I, --interval S      seconds between lines (default: monitor.interval)\n"
		       "  -n, --count N         end after N lines\n");
	if (takes & READ_COLOR)
		printf("      --color=WHEN      auto, always or never (default auto)\n");
	if (takes & READ_UNDO)
		printf("      --undo            take it back\n");
	printf("  -h, --help            this text\n"
	       "  -V, --version         the version\n");
}

/* Takes one option; false: it is wrong, and that was said. */
static bool take(int option, const char *command, struct read_options *options)
{
	switch (option) {
	case INSTANCE:
		options->instance = optarg;
		if (instance_name_valid(optarg))
			return true;
		command_usage(command, "--instance '%s': only letters, digits, '-' and '_'",
			      optarg);
		return false;
	case JSON:
		options->json = true;
		return true;
	case UNDO:
		options->undo = true;
		return true;
	case COLOR:
		if (command_color_parse(optarg, &options->color) == 0)
			return true;
		command_usage(command, "--color '%s': auto, always or never", optarg);
		return false;
	case 'I':
		if (command_parse_number(optarg, 1, MAX_INTERVAL, &options->interval) == 0)
			return true;
		command_usage(command, "--interval '%s': not a number of seconds from 1 to %d",
			      optarg, MAX_INTERVAL);
		return false;
	case 'n':
		if (command_parse_number(optarg, 1, MAX_COUNT, &options->count) == 0)
			return true;
		command_usage(command, "--count '%s': not a number of lines", optarg);
		return false;
	default:
		command_usage_hint(command);
		return false;
	}
}

/* The long options that the command takes; returns how many. */
static size_t choose_options(unsigned int takes, struct option *longs)
{
	static const struct {
		struct option option;
		unsigned int needs; /* 0: every command takes it */
	} all[] = {
		{{"instance", required_argument, NULL, INSTANCE}, 0},
		{{"help", no_argument, NULL, 'h'}, 0},
		{{"version", no_argument, NULL, 'V'}, 0},
		{{"json", no_argument, NULL, JSON}, READ_JSON},
		{{"color", required_argument, NULL, COLOR}, READ_COLOR},
		{{"interval", required_argument, NULL, 'I'}, READ_INTERVAL},
		{{"undo", no_argument, NULL, UNDO}, READ_UNDO},
		{{"count", required_argument, NULL, 'n'}, READ_INTERVAL},
	};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i].needs || takes & all[i].needs)
			longs[count++] = all[i].option;
	}
	return count;
}

bool read_options_parse(int argc, char **argv, unsigned int takes, const char *help,
			struct read_options *options, enum command_status *status)
{
	const char *command = argv[0] + strlen("vxlan-pipeline ");
	const char *shorts = takes & READ_INTERVAL ? "hVI:n:" : "hV";
	struct option longs[16] = {0};
	int option;

	*options = (struct read_options){.instance = COMMAND_DEFAULT_INSTANCE};
	choose_options(takes, longs);
	*status = COMMAND_DONE;
	while ((option = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (option == 'h') {
			print_help(argv[0], takes, help);
			return false;
		}
		if (option == 'V') {
			printf("vxlan-pipeline %s\n", VERSION);
			return false;
		}
		if (!take(option, command, options)) {
			*status = COMMAND_USAGE;
			return false;
		}
	}
	if (optind == argc)
		return true;
	*status = command_usage(command, "unexpected argument '%s'", argv[optind]);
	return false;
}
