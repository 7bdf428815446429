// SPDX-License-Identifier: GPL-2.0-only
/* The table of subcommands, nothing else. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
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
	{"metrics", cmd_metrics, "the text of /metrics, daemon or no daemon; input of CloudWatch"},
	{"monitor", cmd_monitor, "live table of rates"},
	{"explain", cmd_explain, "what the program does with the packets of a capture"},
	{"generate", cmd_generate, "VXLAN test traffic, and what became of it"},
};

static const struct command_group program = {
	.name = "vxlan-pipeline",
	.before = "Usage: vxlan-pipeline COMMAND [OPTIONS]\n\n"
		  "Takes mirrored traffic out of its VXLAN tunnel, re-addresses chosen flows and\n"
		  "forwards them, in XDP.\n\nCommands:\n",
	.after = "\nOptions:\n"
		 "  -h, --help     this text; after a command: its own\n"
		 "  -V, --version  the version\n\n"
		 "Exit status: 0 done, 1 failed, 2 bad usage or bad configuration.\n",
	.commands = commands,
	.count = sizeof(commands) / sizeof(commands[0]),
};

int main(int argc, char **argv)
{
	enum command_status status;

	if (argc > 0 && strcmp(basename(argv[0]), "vxlan_loader") == 0)
		return cmd_run(argc, argv);
	if (argc < 2) {
		command_group_help(&program, stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "help") == 0) {
		command_group_help(&program, stdout);
		return COMMAND_DONE;
	}
	if (command_group_run(&program, argc, argv, &status))
		return status;
	fputs("vxlan-pipeline: unknown command '", stderr);
	printable_print(argv[1], stderr);
	fputs("'\nTry 'vxlan-pipeline --help'.\n", stderr);
	return COMMAND_USAGE;
}
