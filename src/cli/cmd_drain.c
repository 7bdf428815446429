// SPDX-License-Identifier: GPL-2.0-only
#include "instance/bpffs.h"
#include "instance/instance.h"
#include "instance/drained.h"
#include "cli/options.h"

static const char about[] =
	"Turns the instance's health to 503 and forwards on, so that a load balancer moves flows\n"
	"away before the instance is stopped. Lasts over reloads and restarts.";

enum command_status cmd_drain(int argc, char **argv)
{
	const char *instance = INSTANCE_DEFAULT;
	bool undo = false;
	const struct option_row rows[] = {
		OPTION_ROW_INSTANCE(&instance),
		{0, "undo", NULL, OPTION_FLAG(&undo), .help = "take it back"},
	};
	const struct option_set set = {
		.command = "drain",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	enum command_status status;
	struct error error;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	instance_follow_daemon(instance);
	if (instance_set_drained(instance, !undo, &error))
		return command_fail(&error);
	return COMMAND_DONE;
}
