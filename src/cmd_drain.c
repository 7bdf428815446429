// SPDX-License-Identifier: GPL-2.0-only
#include "instance.h"
#include "read_options.h"

static const char help[] =
	"Turns the instance's health to 503 and forwards on, so that a load balancer moves flows\n"
	"away before the instance is stopped. Lasts over reloads and restarts.";

enum command_status cmd_drain(int argc, char **argv)
{
	struct read_options options;
	enum command_status status;
	struct error error;

	if (!read_options_parse(argc, argv, READ_UNDO, help, &options, &status))
		return status;
	if (instance_set_drained(options.instance, !options.undo, &error))
		return command_fail(&error);
	return COMMAND_DONE;
}
