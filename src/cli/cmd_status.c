// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "observe/health.h"
#include "instance/bpffs.h"
#include "instance/daemon.h"
#include "instance/instance.h"
#include "instance/drained.h"
#include "observe/loss.h"
#include "observe/stats.h"
#include "cli/judged.h"
#include "cli/options.h"

static const char about[] =
	"Says whether an instance is attached, in which mode, since when, its condition (good,\n"
	"degraded or bad) with the reasons, how many packets a second arrive, and where packets\n"
	"are lost. Exits with 1 where /healthz would not answer 200: bad, or no daemon to ask.";

struct status {
	struct judged judged;
	struct loss_table losses;
	bool followed; /* the pins are read where the daemon sees them */
};

/* running, detached or unattended */
static const char *state_of(const struct status *status)
{
	enum datapath_state state = status->judged.condition.state;

	/* where this process sees no pins, the daemon keeps attached what it has attached */
	if (state == DATAPATH_ABSENT && status->judged.started)
		return "running";
	if (state != DATAPATH_ATTACHED && state != DATAPATH_REPLACED)
		return "detached";
	return status->judged.daemon.place == DAEMON_NOWHERE ? "unattended" : "running";
}

/* Is there anything to be said of it but that? */
static bool is_attached(const struct status *status)
{
	return status->judged.condition.state == DATAPATH_ATTACHED ||
	       status->judged.condition.state == DATAPATH_REPLACED;
}

static int find_out(const char *instance, struct status *status, struct error *error)
{
	const struct datapath_condition *condition = &status->judged.condition;
	int err = judge_instance(instance, &status->judged, error);

	if (err || condition->state == DATAPATH_ABSENT)
		return err;
	return loss_collect(&status->losses, &condition->counters, condition, error);
}

/* Returns `text`, RFC 3339. */
static const char *format_time(uint64_t ns, char *text, size_t size)
{
	time_t seconds = ns / 1000000000;
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return text;
}

/* Null: nothing, as far as is known. */
static const char *status_pinned(const struct status *status)
{
	if (status->judged.condition.state == DATAPATH_ABSENT)
		return status->judged.started ? "elsewhere" : NULL;
	return status->followed ? "elsewhere" : "here";
}

/* Null: none runs, or one of another PID namespace, where its id means another process than here. */
static json_t *status_pid(const struct status *status)
{
	return status->judged.daemon.place == DAEMON_HERE ? json_integer(status->judged.daemon.pid)
							  : json_null();
}

static void status_print_json(const char *instance, const struct status *status)
{
	const struct instance_info *info = &status->judged.condition.info;
	enum health_severity condition = health_condition(&status->judged.health);
	json_t *reasons = json_array(), *document;
	bool attached = is_attached(status);
	char since[32], configured[32];

	for (size_t i = 0; i < status->judged.health.count; i++)
		json_array_append_new(reasons, json_string(status->judged.health.reasons[i].text));
	document = json_pack(
		"{s:s, s:s, s:s?, s:o, s:s?, s:s?, s:s?, s:b, s:s, s:b, s:o, s:f, s:I, s:o, s:b}",
		"instance", instance, "state", state_of(status), "mode",
		attached ? stats_mode(info) : NULL, "pid", status_pid(status), "pinned",
		status_pinned(status), "since",
		attached ? format_time(info->attached_at, since, sizeof(since)) : NULL,
		"configured",
		attached ? format_time(info->configured_at, configured, sizeof(configured)) : NULL,
		"healthy", condition != HEALTH_BAD, "condition", health_severity_name(condition),
		"draining", instance_is_drained(instance), "reasons", reasons, "pps",
		status->judged.pps, "other_vni_packets",
		(json_int_t)status->judged.condition.other_vnis, "losses",
		loss_json(&status->losses), "transmit_losses_counted",
		status->judged.condition.losses.counted);
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(document);
}

static void print_health(const struct health *health, bool color)
{
	static const char *const colors[] = {
		[HEALTH_GOOD] = "\033[32m",
		[HEALTH_DEGRADED] = "\033[33m",
		[HEALTH_BAD] = "\033[31m",
	};
	enum health_severity condition = health_condition(health);

	printf("  health      %s%s%s\n", color ? colors[condition] : "",
	       health_severity_name(condition), color ? "\033[0m" : "");
	for (size_t i = 0; i < health->count; i++)
		printf("              %s\n", health->reasons[i].text);
}

static void status_print_losses(const struct loss_table *losses, bool transmit_counted)
{
	bool none = true;

	for (size_t i = 0; i < losses->count; i++) {
		const struct loss_row *row = &losses->rows[i];

		if (!row->packets)
			continue;
		if (none)
			printf("  lost        %-8s %-10s %-28s %12s\n", "WHERE", "INTERFACE",
			       "REASON", "PACKETS");
		none = false;
		printf("              %-8s %-10s %-28s %12" PRIu64 "  %s\n",
		       loss_place_name(row->place), *row->interface ? row->interface : "-",
		       row->reason, row->packets, row->meaning);
	}
	if (none)
		printf("  lost        nothing%s\n", transmit_counted ? "" : " that is known");
	if (!transmit_counted)
		printf("              what is refused on the way out is not counted here; sudo "
		       "vxlan-pipeline check says why\n");
	printf("              " LOSS_AT_THE_SOURCE "\n");
}

static void status_print_text(const char *instance, const struct status *status, bool color)
{
	const struct instance_info *info = &status->judged.condition.info;
	bool attached = is_attached(status);
	const char *doubt = attached ? instance_bpffs_doubt(instance) : NULL;
	char since[32], configured[32], daemon[DAEMON_TEXT_SIZE];

	printf("instance %s: %s\n", instance, state_of(status));
	if (attached)
		printf("  interfaces  %s -> %s, %s mode\n  since       %s, configured %s\n",
		       info->listen, info->egress, stats_mode(info),
		       format_time(info->attached_at, since, sizeof(since)),
		       format_time(info->configured_at, configured, sizeof(configured)));
	if (status->judged.daemon.place != DAEMON_NOWHERE)
		printf("  daemon      %s\n", instance_daemon_text(&status->judged.daemon, daemon));
	else if (attached)
		printf("  daemon      none; the datapath goes on without it\n");
	if (doubt)
		printf("  pins        %s\n", doubt);
	else if (!attached && status->judged.started)
		printf("  pins        not in the BPF file system of this mount namespace; the "
		       "daemon sees them\n");
	if (attached)
		printf("  rate        %.0f packets a second\n", status->judged.pps);
	if (status->judged.condition.other_vnis)
		printf("  VNIs        more than %d came: `stats` has %" PRIu64
		       " packets of others in one row\n",
		       PIPELINE_MAX_VNIS, status->judged.condition.other_vnis);
	print_health(&status->judged.health, color);
	if (status->judged.condition.state != DATAPATH_ABSENT)
		status_print_losses(&status->losses, status->judged.condition.losses.counted);
}

enum command_status cmd_status(int argc, char **argv)
{
	const char *instance = INSTANCE_DEFAULT;
	enum command_color color = COMMAND_COLOR_AUTO;
	bool json = false;
	const struct option_row rows[] = {OPTION_ROW_INSTANCE(&instance), OPTION_ROW_JSON(&json),
					  OPTION_ROW_COLOR(&color)};
	const struct option_set set = {
		.command = "status",
		.usage = "[OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};
	struct status found = {0};
	enum command_status status;
	struct error error;

	if (!options_parse(argc, argv, &set, &status))
		return status;
	found.followed = instance_follow_daemon(instance);
	if (find_out(instance, &found, &error)) {
		loss_table_clear(&found.losses);
		return command_fail(&error);
	}
	if (json)
		status_print_json(instance, &found);
	else
		status_print_text(instance, &found, command_color_on(color, stdout));
	loss_table_clear(&found.losses);
	return health_condition(&found.judged.health) == HEALTH_BAD ? COMMAND_FAILED : COMMAND_DONE;
}
