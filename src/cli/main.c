// SPDX-License-Identifier: GPL-2.0-only
/* The table of subcommands and dispatch, nothing else. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static const struct command commands[] = {
	{"run", cmd_run, "attach and forward, in the foreground"},
	{"stop", cmd_stop, "detach and remove all kernel state"},
	{"reload", cmd_reload, "the configuration anew; says whether it came into force"},
	{"drain", cmd_drain, "unhealthy for load balancers, while forwarding goes on"},
	{"check", cmd_check, "is this host ready? what is wrong, and what mends it"},
	{"tune", cmd_tune, "host settings that help, recorded and reversible"},
	{"config", cmd_config, "check, show or import a configuration"},
	{"status", cmd_status, "attached? healthy? how fast?"},
	{"stats", cmd_stats, "every counter"},
	{"monitor", cmd_monitor, "live table of rates"},
	{"explain", cmd_explain, "what the program does with the packets of a capture"},
	{"generate", cmd_generate, "VXLAN test traffic, and what became of it"},
};

static void print_help(FILE *stream)
{
	fprintf(stream,
		"Usage: vxlan-pipeline COMMAND [OPTIONS]\n\n"
		"Takes mirrored traffic out of its VXLAN tunnel, re-addresses chosen flows and\n"
		"forwards them, in XDP.\n\nCommands:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(stream, "\nOptions:\n"
			"  -h, --help     this text; after a command: its own\n"
			"  -V, --version  the version\n\n"
			"Exit status: 0 done, 1 failed, 2 bad usage or bad configuration.\n");
}

static bool is_option(const char *arg, const char *brief, const char *full)
{
	return strcmp(arg, brief) == 0 || strcmp(arg, full) == 0;
}

static int dispatch(const struct command *command, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "vxlan-pipeline %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

int main(int argc, char **argv)
{
	if (argc > 0 && strcmp(basename(argv[0]), "vxlan_loader") == 0)
		return cmd_run(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return COMMAND_USAGE;
	}
	if (is_option(argv[1], "-h", "--help") || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return COMMAND_DONE;
	}
	if (is_option(argv[1], "-V", "--version")) {
		printf("vxlan-pipeline %s\n", VERSION);
		return COMMAND_DONE;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return dispatch(&commands[i], argc - 1, argv + 1);
	}
	fprintf(stderr, "vxlan-pipeline: unknown command '%s'\nTry 'vxlan-pipeline --help'.\n",
		argv[1]);
	return COMMAND_USAGE;
}
