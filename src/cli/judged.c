// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <time.h>

#include "cli/judged.h"
#include "instance/reloads.h"
#include "observe/monitor.h"
#include "observe/published.h"

/* Readings of health: as many as tell a leak from a burst. Of the rate, the first and last. */
#define READINGS  4
#define SAMPLE_NS 170000000L

static bool has_started(const char *instance, const struct instance_daemon *daemon)
{
	struct instance_reloads reloads;

	return daemon->place != DAEMON_NOWHERE && !daemon->apart &&
	       instance_read_reloads(instance, &reloads) == 0 && reloads.ended && !*reloads.trouble;
}

static bool has_beaten(const struct datapath_condition *condition)
{
	return condition->beat_age_ms >= 0 && condition->beat_age_ms <= HEALTH_STALLED_MS;
}

int judge_instance(const char *instance, struct judged *judged, struct error *error)
{
	const struct timespec pause = {.tv_nsec = SAMPLE_NS};
	struct health_watch watch = {0};
	struct monitor monitor = {0};
	bool absent = false;
	int err;

	memset(judged, 0, sizeof(*judged));
	for (int reading = 0; reading < READINGS; reading++) {
		err = datapath_inspect(instance, &judged->condition, error);
		if (err)
			return err;
		instance_see_daemon(instance, &judged->daemon);
		health_judge(&judged->health, &watch, instance, &judged->condition, &judged->daemon,
			     NULL);
		judged->started = has_started(instance, &judged->daemon);
		absent = judged->condition.state == DATAPATH_ABSENT;
		if (absent)
			break;
		if (reading == 0 || reading == READINGS - 1)
			judged->pps = monitor_take(&monitor, &judged->condition.counters).pps;
		if (reading < READINGS - 1)
			nanosleep(&pause, NULL);
	}
	/* the daemon knows more, and is what /healthz goes by; a dead or stalled one leaves it to us */
	if (judged->daemon.place != DAEMON_NOWHERE &&
	    (absent ? judged->started : has_beaten(&judged->condition)))
		health_read_published(instance, &judged->health);
	return 0;
}
