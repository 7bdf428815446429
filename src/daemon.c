// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "cleanup.h"
#include "daemon.h"
#include "datapath.h"
#include "health.h"
#include "instance.h"
#include "log.h"
#include "monitor.h"
#include "privilege.h"
#include "rollout.h"
#include "web.h"

#define NEVER     INT64_MAX
#define FOLLOW_MS 200  /* how often the interfaces are looked at */
#define RETRY_MS  1000 /* after what could not be put in force again */
#define HEALTH_MS 500

/* What the control loop does from time to time; job_* below say when again. */
enum job {
	JOB_BEAT,
	JOB_NEXT_HOPS,
	JOB_FOLLOW,
	JOB_HEALTH,
	JOB_DASHBOARD,
	JOB_WATCHDOG,
	JOB_COUNT
};

struct daemon {
	const struct daemon_options *options;
	struct config config; /* in force */
	struct rollout rollout;
	struct monitor monitor;
	struct web web;
	struct health health; /* as it was published last */
	struct health_watch health_watch;
	struct error trouble;   /* why the configuration could not be put in force again */
	int64_t end_at;         /* CLOCK_MONOTONIC, ms; NEVER: at a signal */
	int64_t due[JOB_COUNT]; /* likewise */
	int64_t watchdog_every; /* ms */
	bool linger;
	bool drained; /* while the instance was pinned last */
};

static int64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static int64_t milliseconds(void)
{
	return microseconds() / 1000;
}

static void debug_line(const char *line)
{
	log_debug("%.*s", (int)strcspn(line, "\n"), line);
}

static int put_in_force(struct daemon *daemon, const struct config *config, struct error *error)
{
	int err = rollout_put_in_force(&daemon->rollout, daemon->options->instance, config, error);

	if (!err) {
		daemon->due[JOB_BEAT] = 0;
		daemon->due[JOB_NEXT_HOPS] = daemon->rollout.next_hops ? 0 : NEVER;
		*daemon->trouble.text = '\0';
	}
	return err;
}

static void adopt_settings(struct daemon *daemon, struct config *config)
{
	config_clear(&daemon->config);
	daemon->config = *config;
	daemon->monitor.target_pps = config->monitor.target_pps;
	daemon->monitor.warning_pps = config->monitor.warning_pps;
	daemon->due[JOB_DASHBOARD] = daemon->options->verbose
					     ? milliseconds() + config->monitor.interval * 1000LL
					     : NEVER;
}

static void notify_status(const struct daemon *daemon, const char *state)
{
	const struct health *health = &daemon->health;

	sd_notifyf(0, "%sSTATUS=%s -> %s, %zu rule%s%s%s", state, daemon->config.listen.interface,
		   daemon->config.forward.interface, daemon->config.rule_count,
		   daemon->config.rule_count == 1 ? "" : "s", health->count ? "; not well: " : "",
		   health->count ? health->reasons[0] : "");
}

/* All of a configuration, its HTTP server included, or nothing. */
static int install(struct daemon *daemon, struct config *config, struct error *error)
{
	struct error failure;
	int err = web_prepare(&daemon->web, config->http.listen, error);

	if (err)
		return err;
	err = put_in_force(daemon, config, error);
	if (err) {
		if (web_abort(&daemon->web, &failure))
			log_warning("%s; nothing is served", failure.text);
		return err;
	}
	/* threads have what capabilities this one has when it starts them */
	if (privilege_drop(&failure))
		log_warning("%s", failure.text);
	if (web_commit(&daemon->web, config->http.listen, &failure))
		log_warning("%s; nothing is served", failure.text);
	adopt_settings(daemon, config);
	return 0;
}

/* SIGHUP: all of the new configuration, or none of it. */
static void reload(struct daemon *daemon)
{
	const struct daemon_options *options = daemon->options;
	enum command_status status;
	struct config config;
	struct error error;
	bool failed = true;

	/* not rounded down: what seems older than its own SIGHUP, systemd takes no notice of */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, microseconds());
	pages_set_busy(daemon->web.pages);
	if (!command_load_config(&config, options->config_path, options->overrides,
				 options->override_count, &status)) {
		log_error("not reloaded: the configuration has errors; the one before stays");
	} else if (install(daemon, &config, &error)) {
		log_error("not reloaded: %s; the configuration before stays", error.text);
		log_set_level(daemon->config.log.level);
		config_clear(&config);
	} else {
		log_info("reloaded");
		failed = false;
	}
	pages_note_reload(daemon->web.pages, failed);
	notify_status(daemon, "READY=1\n");
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
			monitor_print_dashboard(&daemon->monitor, &rates, stdout);
	}
	return now + daemon->config.monitor.interval * 1000LL;
}

static int64_t job_beat(struct daemon *daemon, int64_t now)
{
	datapath_beat(&daemon->rollout.control);
	return now + HEARTBEAT_EVERY_MS;
}

static int64_t job_next_hops(struct daemon *daemon, int64_t now)
{
	return next_hops_tick(daemon->rollout.next_hops, now);
}

/* Interfaces that were made anew, or have another MTU: what is in force has to be made for them. */
static int64_t job_follow(struct daemon *daemon, int64_t now)
{
	struct error why, error;
	bool unpinned;

	if (!rollout_is_outdated(&daemon->rollout, daemon->options->instance, &daemon->config,
				 &why)) {
		*daemon->trouble.text = '\0'; /* it went as it came */
		return now + FOLLOW_MS;
	}
	if (!*daemon->trouble.text)
		log_info("%s: putting the configuration in force again", why.text);
	pages_set_busy(daemon->web.pages);
	unpinned = datapath_is_unpinned(daemon->options->instance);
	if (put_in_force(daemon, &daemon->config, &error) == 0) {
		if (unpinned && daemon->drained) /* the pins took that with them */
			instance_set_drained(daemon->options->instance, true, &error);
		return now + FOLLOW_MS;
	}
	if (strcmp(daemon->trouble.text, error.text) != 0)
		log_error("%s, and the configuration cannot be put in force again: %s", why.text,
			  error.text);
	daemon->trouble = error;
	return now + RETRY_MS;
}

/* Past a word that is a number, "530" or "1.7", but no address. */
static const char *skip_number(const char *word)
{
	size_t length = strspn(word, "0123456789");

	if (length && word[length] == '.')
		length += 1 + strspn(word + length + 1, "0123456789");
	return word[length] == ' ' || !word[length] ? word + length : word;
}

/* But for their numbers: those of packets and seconds change all the time. */
static bool same_reason(const char *a, const char *b)
{
	bool at_word = true;

	for (;; a++, b++) {
		if (at_word) {
			a = skip_number(a);
			b = skip_number(b);
		}
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		at_word = *a == ' ';
	}
}

static bool same_reasons(const struct health *a, const struct health *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (!same_reason(a->reasons[i], b->reasons[i]))
			return false;
	}
	return a->count == b->count;
}

/* Tells the log and the service manager of what has changed. */
static void tell_health(struct daemon *daemon, const struct health *before)
{
	const struct health *health = &daemon->health;

	if (same_reasons(health, before))
		return;
	if (!health->count)
		log_info("well again");
	for (size_t i = 0; i < health->count; i++)
		log_warning("not well: %s", health->reasons[i]);
	notify_status(daemon, "");
}

static int64_t job_health(struct daemon *daemon, int64_t now)
{
	struct datapath_condition condition;
	struct health before = daemon->health;
	struct error error;

	if (datapath_inspect(daemon->options->instance, &condition, &error)) {
		memset(&daemon->health, 0, sizeof(daemon->health));
		health_add(&daemon->health, "%s", error.text);
	} else {
		health_judge(&daemon->health, &daemon->health_watch, daemon->options->instance,
			     &condition, getpid());
		if (condition.state != DATAPATH_ABSENT)
			daemon->drained = instance_is_drained(daemon->options->instance);
	}
	if (*daemon->trouble.text)
		health_add(&daemon->health, "the configuration cannot be put in force again: %s",
			   daemon->trouble.text);
	pages_publish(daemon->web.pages, &daemon->health);
	tell_health(daemon, &before);
	return now + HEALTH_MS;
}

static int64_t job_watchdog(struct daemon *daemon, int64_t now)
{
	sd_notify(0, "WATCHDOG=1");
	return now + daemon->watchdog_every;
}

static int64_t (*const jobs[JOB_COUNT])(struct daemon *daemon, int64_t now) = {
	[JOB_BEAT] = job_beat,     [JOB_NEXT_HOPS] = job_next_hops, [JOB_FOLLOW] = job_follow,
	[JOB_HEALTH] = job_health, [JOB_DASHBOARD] = job_dashboard, [JOB_WATCHDOG] = job_watchdog,
};

/* What is due now; returns false at the end of the duration. */
static bool tick(struct daemon *daemon)
{
	for (enum job job = 0; job < JOB_COUNT; job++) {
		int64_t now = milliseconds();

		if (now >= daemon->due[job])
			daemon->due[job] = jobs[job](daemon, now);
	}
	return milliseconds() < daemon->end_at;
}

static int wait_time(const struct daemon *daemon)
{
	int64_t first = daemon->end_at;

	for (enum job job = 0; job < JOB_COUNT; job++) {
		if (daemon->due[job] < first)
			first = daemon->due[job];
	}
	first -= milliseconds();
	return first < 0 ? 0 : (int)first;
}

/* Until a signal or the duration ends it. */
static void control(struct daemon *daemon, int signals)
{
	while (tick(daemon)) {
		struct pollfd fds[] = {
			{.fd = signals, .events = POLLIN},
			{.fd = daemon->rollout.next_hops ? next_hops_fd(daemon->rollout.next_hops)
							 : -1,
			 .events = POLLIN},
		};
		struct signalfd_siginfo signal;

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_time(daemon)) <= 0)
			continue;
		if (fds[1].revents) {
			next_hops_handle(daemon->rollout.next_hops, milliseconds());
			daemon->due[JOB_NEXT_HOPS] = 0;
		}
		if (!fds[0].revents || read(signals, &signal, sizeof(signal)) != sizeof(signal))
			continue;
		if (signal.ssi_signo == SIGUSR1)
			daemon->linger = true;
		if (signal.ssi_signo != SIGHUP)
			return;
		reload(daemon);
	}
}

static int open_signals(struct error *error)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_set(error, -errno, "cannot block signals: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? error_set(error, -errno, "signalfd: %s", strerror(errno)) : fd;
}

static void start_clocks(struct daemon *daemon)
{
	uint64_t watchdog;

	daemon->end_at = NEVER;
	daemon->due[JOB_WATCHDOG] = NEVER;
	if (daemon->options->duration)
		daemon->end_at = milliseconds() + daemon->options->duration * 1000LL;
	if (sd_watchdog_enabled(0, &watchdog) > 0) {
		daemon->watchdog_every = watchdog / 2000;
		daemon->due[JOB_WATCHDOG] = 0;
	}
}

static enum command_status end(const struct daemon *daemon)
{
	struct error error;
	int err;

	sd_notify(0, "STOPPING=1");
	if (daemon->linger) {
		log_info("the daemon ends, the datapath goes on");
		return COMMAND_DONE;
	}
	err = datapath_remove(daemon->options->instance, &error);
	if (err && err != -ENOENT) /* `stop` may have been faster */
		return command_fail(&error);
	log_info("detached");
	return COMMAND_DONE;
}

static enum command_status start_failed(int err, const struct error *error)
{
	command_fail(error);
	return err == -ERANGE ? COMMAND_USAGE : COMMAND_FAILED;
}

static enum command_status run_locked(struct daemon *daemon, struct config *config)
{
	enum command_status status;
	struct error error;
	int signals = open_signals(&error);
	int err = signals < 0 ? signals : web_open(&daemon->web, daemon->options->instance, &error);

	if (!err)
		err = install(daemon, config, &error);
	if (err) {
		config_clear(config);
		status = start_failed(err, &error);
	} else {
		start_clocks(daemon);
		if (daemon->options->verbose)
			job_dashboard(daemon, 0); /* takes the first reading, prints nothing */
		notify_status(daemon, "READY=1\n");
		control(daemon, signals);
		status = end(daemon);
		rollout_end(&daemon->rollout);
		config_clear(&daemon->config);
	}
	web_close(&daemon->web);
	if (signals >= 0)
		close(signals);
	return status;
}

enum command_status daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = {.options = options,
				.rollout = ROLLOUT_NONE,
				.web = WEB_NONE,
				.linger = options->linger};
	enum command_status status;
	struct config config;
	struct error error;
	int lock;

	if (!command_load_config(&config, options->config_path, options->overrides,
				 options->override_count, &status))
		return status;
	datapath_set_debug(debug_line);
	lock = instance_lock(options->instance, &error);
	if (lock < 0) {
		config_clear(&config);
		return command_fail(&error);
	}
	daemon.monitor.color = command_color_on(COMMAND_COLOR_AUTO, stdout);
	status = run_locked(&daemon, &config);
	instance_unlock(options->instance, lock);
	return status;
}
