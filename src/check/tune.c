// SPDX-License-Identifier: GPL-2.0-only
/* The checks of what is best left to `tune`: they find what is in its plan, so that it mends all of it. */
#include <inttypes.h>
#include <string.h>

#include "check/internal.h"
#include "tune/tune.h"

static void check_plan(const struct check *check, struct tune_plan *plan)
{
	tune_plan(check->host, check->config, check->instance, plan);
}

static void fix_by_tune(const struct check *check, struct finding *finding)
{
	check_fix(finding, "vxlan-pipeline tune%s", check->options);
}

void check_moderation(const struct check *check)
{
	const struct host_link *link = &check->host->listen;
	char name[TUNE_NAME_SIZE];
	struct tune_plan planned;

	if (link->adaptive_rx == HOST_UNKNOWN && link->rx_usecs == HOST_UNKNOWN)
		check_find(check, FINDING_OK,
			   "not known: %s's driver does not tell how long it holds interrupts back",
			   link->name);
	check_plan(check, &planned);
	for (size_t i = 0; i < planned.count; i++) {
		const struct tune_setting *setting = &planned.list[i];

		if (setting->kind == TUNE_ADAPTIVE_RX || setting->kind == TUNE_RX_USECS)
			fix_by_tune(check,
				    check_find(check, FINDING_WARN,
					       "%s is %" PRId64 ", and %" PRId64 " is better: %s",
					       tune_name(setting->kind, setting->object, name),
					       setting->before, setting->after, setting->why));
	}
}

void check_idle_states(const struct check *check)
{
	int64_t deepest = check->host->idle_state;
	struct tune_plan planned;
	size_t deep = 0;

	if (deepest == HOST_UNKNOWN)
		check_find(check, FINDING_OK,
			   "not known: the kernel tells of no idle states that CPUs enter");
	check_plan(check, &planned);
	for (size_t i = 0; i < planned.count; i++)
		deep += strncmp(planned.list[i].object, TUNE_CPUS, strlen(TUNE_CPUS)) == 0;
	if (deep)
		fix_by_tune(check, check_find(check, FINDING_WARN,
					      "CPUs without work go down to idle state %" PRId64
					      ", from which they wake up late for the next packets",
					      deepest));
}
