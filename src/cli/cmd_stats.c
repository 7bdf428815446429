// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options.h"
#include "observe/stats.h"
#include "datapath/owner.h"
#include "instance/bpffs.h"

static const char about[] = "Prints every counter of an instance, whether or not its daemon runs.";

enum command_status cmd_stats(int argc, char **argv)
{
	const char *instance = INSTANCE_DEFAULT;
	bool json = false;
	const struct option_row rows[] = {OPTION_ROW_INSTANCE(&instance), OPTION_ROW_JSON(&json)};
	const struct option_set set = {
		.command = "stats",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	struct datapath_stats stats;
	enum command_status status;
	struct error error;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	instance_follow_daemon(instance);
	if (datapath_read(instance, &stats, &error))
		return command_fail(&error);
	if (stats.state == DATAPATH_ABSENT) {
		datapath_not_attached(instance, &error);
		return command_fail(&error);
	}
	if (json) {
		json_t *document = stats_json(instance, &stats);

		json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
		json_decref(document);
	} else {
		stats_print(instance, &stats, stdout);
	}
	datapath_stats_clear(&stats);
	return COMMAND_DONE;
}
