// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "read_options.h"
#include "stats.h"

static const char help[] = "Prints every counter of an instance, whether or not its daemon runs.";

enum command_status cmd_stats(int argc, char **argv)
{
	struct datapath_stats stats;
	struct read_options options;
	enum command_status status;
	struct error error;

	if (!read_options_parse(argc, argv, READ_JSON, help, &options, &status))
		return status;
	if (datapath_read(options.instance, &stats, &error))
		return command_fail(&error);
	if (stats.state == DATAPATH_ABSENT) {
		error_set(&error, -ENOENT,
			  "instance %s is not attached; `vxlan-pipeline run` attaches it",
			  options.instance);
		return command_fail(&error);
	}
	if (options.json) {
		json_t *document = stats_json(options.instance, &stats);

		json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
		json_decref(document);
	} else {
		stats_print(options.instance, &stats, stdout);
	}
	datapath_stats_clear(&stats);
	return COMMAND_DONE;
}
