// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "observe/look.h"
#include "observe/published.h"

static void look_judge(struct look *look, const char *instance, struct health_watch *watch)
{
	const struct datapath_condition *condition = &look->condition;
	struct instance_daemon daemon;

	instance_see_daemon(instance, &daemon);
	health_judge(&look->health, watch, instance, condition, &daemon, NULL);
	/* the daemon knows more; a dead or stalled one leaves it to us */
	if (daemon.place != DAEMON_NOWHERE && condition->beat_age_ms >= 0 &&
	    condition->beat_age_ms <= HEALTH_STALLED_MS)
		health_read_published(instance, &look->health);
}

int look_take(struct look *look, const char *instance, struct health_watch *watch,
	      struct error *error)
{
	int err;

	memset(look, 0, sizeof(*look));
	err = datapath_read(instance, &look->stats, error);
	if (err || look->stats.state == DATAPATH_ABSENT)
		return err;
	err = datapath_inspect(instance, &look->condition, error);
	if (!err)
		err = loss_collect(&look->losses, &look->stats.counters, &look->condition, error);
	if (err) {
		look_clear(look);
		return err;
	}
	look_judge(look, instance, watch);
	return 0;
}

void look_clear(struct look *look)
{
	datapath_stats_clear(&look->stats);
	loss_table_clear(&look->losses);
}
