// SPDX-License-Identifier: GPL-2.0-only
/* What the control loop does from time to time; each job says when again. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/output.h"
#include "daemon/internal.h"
#include "daemon/notify.h"
#include "instance/drained.h"
#include "base/log.h"
#include "observe/published.h"

#define FOLLOW_MS  200  /* how often the interfaces are looked at */
#define RETRY_MS   1000 /* after the configuration could not be applied again */
#define HEALTH_MS  400  /* a fault and its end are told within five readings */
#define SILENCE_MS 2000 /* between two looks at the rules of nftables, where no event tells */

/* What nobody reads in time is left out. */
static void print_dashboard(const struct monitor *monitor, const struct monitor_rates *rates)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (!stream)
		return;
	monitor_print_dashboard(monitor, rates, stream);
	if (fclose(stream) == 0)
		output_write(STDOUT_FILENO, text, length, 0);
}

static int64_t job_dashboard(struct daemon *daemon, int64_t now)
{
	struct instance_info info;
	struct counters counters;
	struct monitor_rates rates;
	struct error error;

	if (datapath_read_counters(daemon->options->instance, &counters, &info, &error)) {
		log_warning("%s", error.text);
	} else {
		rates = monitor_take(&daemon->monitor, &counters);
		if (rates.seconds > 0)
			print_dashboard(&daemon->monitor, &rates);
	}
	return now + daemon->config.monitor.interval * 1000LL;
}

static int64_t job_beat(struct daemon *daemon, int64_t now)
{
	int err = datapath_beat(&daemon->applied.control);

	if (err && err != daemon->beat_err)
		log_warning("the heartbeat fails: %s; as long as it does, every packet asks the "
			    "kernel for its next hop, which is slower",
			    strerror(-err));
	else if (!err && daemon->beat_err)
		log_info("the heartbeat works again");
	daemon->beat_err = err;
	return now + HEARTBEAT_EVERY_MS;
}

void daemon_follow_next_hops(struct daemon *daemon)
{
	struct next_hops *hops = daemon->applied.next_hops;

	if (!hops || daemon->following)
		return;
	daemon->following = true;
	next_hops_handle(hops, clock_ms());
	daemon->due[JOB_NEXT_HOPS] = next_hops_tick(hops, clock_ms());
	daemon->following = false;
}

static int64_t job_next_hops(struct daemon *daemon, int64_t now)
{
	if (!daemon->applied.next_hops) { /* that failed when the configuration was applied */
		applied_follow_next_hops(&daemon->applied, &daemon->config);
		return now + RETRY_MS;
	}
	daemon_follow_next_hops(daemon);
	return daemon->due[JOB_NEXT_HOPS];
}

static void want_neighbour(void *data, const struct ip_address *address)
{
	struct daemon *daemon = data;

	if (daemon->applied.next_hops)
		next_hops_ask(daemon->applied.next_hops, address, clock_ms());
}

void daemon_ask_neighbours(struct daemon *daemon)
{
	datapath_read_wanted(&daemon->applied.control, want_neighbour, daemon);
}

/* With an event it is looked at once; without events, or while it is not in place, now and then. */
static int64_t job_silence(struct daemon *daemon, int64_t now)
{
	bool read = daemon->rules_changed || !daemon->rules;

	if (!applied_any(&daemon->applied))
		return now + SILENCE_MS;
	daemon->rules_changed = false;
	applied_keep_silence(&daemon->applied, daemon->options->instance, read);
	return now + (!daemon->rules || !daemon->applied.may_pass ? SILENCE_MS : FOLLOW_MS);
}

/* The configuration is applied again to interfaces that were made anew, or have another MTU or MAC. */
static int64_t job_follow(struct daemon *daemon, int64_t now)
{
	struct error why, error;
	bool unpinned;

	if (!applied_any(&daemon->applied))
		return daemon_try_to_attach(daemon, now);
	if (!applied_is_outdated(&daemon->applied, daemon->options->instance, &daemon->config,
				 &why)) {
		daemon_note_trouble(daemon, ""); /* it went as it came */
		return now + FOLLOW_MS;
	}
	/* what `stop` took away while this process was stopped must not come back */
	if (daemon_is_to_end())
		return now + FOLLOW_MS;
	if (!*daemon->reloads.trouble)
		log_info("%s: applying the configuration again", why.text);
	unpinned = datapath_is_unpinned(daemon->options->instance);
	if (daemon_apply_datapath(daemon, &daemon->config, &error) == 0) {
		if (unpinned && daemon->drained) /* the pins took that with them */
			instance_set_drained(daemon->options->instance, true, &error);
		return now + FOLLOW_MS;
	}
	if (daemon_is_to_end()) /* and therefore gave up */
		return now + RETRY_MS;
	if (strcmp(daemon->reloads.trouble, error.text) != 0)
		log_error("%s, and the configuration cannot be applied again: %s", why.text,
			  error.text);
	daemon_note_trouble(daemon, error.text);
	return now + RETRY_MS;
}

/* How the log and the service manager begin a reason. */
static const char *condition_word(enum health_severity severity)
{
	return severity == HEALTH_BAD ? "not well" : health_severity_name(severity);
}

/* Tells the log and the service manager of what has changed. */
static void tell_health(struct daemon *daemon, const struct health *before)
{
	const struct health *health = &daemon->health;

	if (health_same_reasons(health, before))
		return;
	if (!health->count)
		log_info("well again");
	for (size_t i = 0; i < health->count; i++)
		log_warning("%s: %s", condition_word(health->reasons[i].severity),
			    health->reasons[i].text);
	daemon_notify_status(daemon, "");
}

static void note_passed(struct daemon *daemon, const struct counters *counters, int64_t now)
{
	uint64_t passed = counters->verdict[VERDICT_PASSED].packets;

	if (passed != daemon->passed)
		daemon->passed_at = now;
	daemon->passed = passed;
}

/* A mark that is missing together with all other pins was not taken away: the BPF file system was unmounted. */
static void note_drained(struct daemon *daemon)
{
	const char *instance = daemon->options->instance;
	bool drained = instance_is_drained(instance);

	if (drained || !datapath_is_unpinned(instance))
		daemon->drained = drained;
}

static int64_t job_health(struct daemon *daemon, int64_t now)
{
	struct datapath_condition condition;
	struct health before = daemon->health;
	struct error error;

	if (datapath_inspect(daemon->options->instance, &condition, &error)) {
		memset(&daemon->health, 0, sizeof(daemon->health));
		health_add(&daemon->health, HEALTH_BAD, "%s", error.text);
	} else {
		health_judge(&daemon->health, &daemon->health_watch, daemon->options->instance,
			     &condition, &daemon->self, &daemon->reloads);
		if (condition.state != DATAPATH_ABSENT) {
			note_passed(daemon, &condition.counters, now);
			note_drained(daemon);
		}
	}
	if (applied_any(&daemon->applied) && !daemon->applied.may_pass)
		health_add(&daemon->health, HEALTH_DEGRADED,
			   "no packet is passed to the kernel, as it cannot be kept from answering "
			   "captured packets: %s",
			   daemon->applied.unsilenced.text);
	pages_publish(daemon->web.pages, &daemon->health);
	health_publish(daemon->options->instance, &daemon->health);
	tell_health(daemon, &before);
	return now + HEALTH_MS;
}

static int64_t job_watchdog(struct daemon *daemon, int64_t now)
{
	notify_manager("WATCHDOG=1");
	return now + daemon->watchdog_every;
}

void daemon_keep_watchdog(struct daemon *daemon)
{
	int64_t now = clock_ms();

	if (daemon->watchdog_every && now >= daemon->due[JOB_WATCHDOG])
		daemon->due[JOB_WATCHDOG] = job_watchdog(daemon, now);
}

static int64_t (*const jobs[JOB_COUNT])(struct daemon *daemon, int64_t now) = {
	[JOB_BEAT] = job_beat,           [JOB_NEXT_HOPS] = job_next_hops,
	[JOB_FOLLOW] = job_follow,       [JOB_SILENCE] = job_silence,
	[JOB_HEALTH] = job_health,       [JOB_HTTP] = daemon_serve_again,
	[JOB_DASHBOARD] = job_dashboard, [JOB_WATCHDOG] = job_watchdog,
};

bool daemon_run_jobs(struct daemon *daemon)
{
	for (enum job job = 0; job < JOB_COUNT; job++) {
		int64_t now = clock_ms();

		if (now >= daemon->due[job])
			daemon->due[job] = jobs[job](daemon, now);
	}
	return clock_ms() < daemon->end_at;
}

int daemon_idle_time(const struct daemon *daemon)
{
	int64_t first = daemon->end_at;

	for (enum job job = 0; job < JOB_COUNT; job++) {
		if (daemon->due[job] < first)
			first = daemon->due[job];
	}
	first -= clock_ms();
	return first < 0 ? 0 : (int)first;
}

void daemon_start_jobs(struct daemon *daemon)
{
	uint64_t watchdog;

	daemon->end_at = NEVER;
	daemon->due[JOB_WATCHDOG] = NEVER;
	if (daemon->options->duration)
		daemon->end_at = clock_ms() + daemon->options->duration * 1000LL;
	if (sd_watchdog_enabled(0, &watchdog) > 0) {
		daemon->watchdog_every = watchdog / 2000;
		daemon->due[JOB_WATCHDOG] = 0;
	}
	if (daemon->options->verbose)
		job_dashboard(daemon, 0); /* takes the first reading, prints nothing */
	/* who is told that this is ready can ask how it is */
	daemon->due[JOB_HEALTH] = job_health(daemon, clock_ms());
}

void daemon_notify_status(const struct daemon *daemon, const char *state)
{
	const char *reason = health_worst_reason(&daemon->health);
	const char *word = condition_word(health_condition(&daemon->health));

	notify_manager("%sSTATUS=%s -> %s, %zu rule%s%s%s%s%s", state,
		       daemon->config.listen.interface, daemon->config.forward.interface,
		       daemon->config.rule_count, daemon->config.rule_count == 1 ? "" : "s",
		       reason ? "; " : "", reason ? word : "", reason ? ": " : "",
		       reason ? reason : "");
}
