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
#include "instance.h"
#include "log.h"
#include "monitor.h"
#include "rollout.h"

#define NEVER INT64_MAX

struct daemon {
	const struct daemon_options *options;
	struct config config; /* in force */
	struct rollout rollout;
	struct monitor monitor;
	int64_t next_hops_at;
	int64_t beat_at;
	int64_t end_at;       /* CLOCK_MONOTONIC, ms; NEVER: at a signal */
	int64_t dashboard_at; /* when the next one is due */
	int64_t watchdog_at;
	int64_t watchdog_every; /* ms */
};

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void debug_line(const char *line)
{
	log_debug("%.*s", (int)strcspn(line, "\n"), line);
}

static int put_in_force(struct daemon *daemon, const struct config *config, struct error *error)
{
	int err = rollout_put_in_force(&daemon->rollout, daemon->options->instance, config, error);

	if (!err)
		daemon->beat_at = daemon->next_hops_at = daemon->rollout.next_hops ? 0 : NEVER;
	return err;
}

static void adopt_settings(struct daemon *daemon, struct config *config)
{
	config_clear(&daemon->config);
	daemon->config = *config;
	daemon->monitor.target_pps = config->monitor.target_pps;
	daemon->monitor.warning_pps = config->monitor.warning_pps;
	daemon->dashboard_at = daemon->options->verbose
				       ? milliseconds() + config->monitor.interval * 1000LL
				       : NEVER;
}

static void notify_ready(const struct daemon *daemon)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s -> %s, %zu rules", daemon->config.listen.interface,
		   daemon->config.forward.interface, daemon->config.rule_count);
}

/* SIGHUP: all of the new configuration, or none of it. */
static void reload(struct daemon *daemon)
{
	const struct daemon_options *options = daemon->options;
	enum command_status status;
	struct config config;
	struct error error;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, milliseconds() * 1000);
	if (!command_load_config(&config, options->config_path, options->overrides,
				 options->override_count, &status)) {
		log_error("not reloaded: the configuration has errors; the one before stays");
	} else if (put_in_force(daemon, &config, &error)) {
		log_error("not reloaded: %s; the configuration before stays", error.text);
		log_set_level(daemon->config.log.level);
		config_clear(&config);
	} else {
		log_info("reloaded");
		adopt_settings(daemon, &config);
	}
	notify_ready(daemon);
}

static void dashboard(struct daemon *daemon)
{
	struct instance_info info;
	struct counters counters;
	struct monitor_rates rates;
	struct error error;

	if (datapath_read_counters(daemon->options->instance, &counters, &info, &error)) {
		log_warning("%s", error.text);
		return;
	}
	rates = monitor_take(&daemon->monitor, &counters);
	if (rates.seconds > 0)
		monitor_print_dashboard(&daemon->monitor, &rates, stdout);
}

static int64_t earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What is due now; returns false at the end of the duration. */
static bool tick(struct daemon *daemon)
{
	int64_t now = milliseconds();

	if (now >= daemon->dashboard_at) {
		dashboard(daemon);
		daemon->dashboard_at += daemon->config.monitor.interval * 1000LL;
	}
	if (now >= daemon->beat_at) {
		datapath_beat(&daemon->rollout.control);
		daemon->beat_at = now + HEARTBEAT_EVERY_MS;
	}
	if (daemon->rollout.next_hops && now >= daemon->next_hops_at)
		daemon->next_hops_at = next_hops_tick(daemon->rollout.next_hops, now);
	if (now >= daemon->watchdog_at) {
		sd_notify(0, "WATCHDOG=1");
		daemon->watchdog_at = now + daemon->watchdog_every;
	}
	return now < daemon->end_at;
}

static int wait_time(const struct daemon *daemon)
{
	const int64_t due[] = {daemon->end_at, daemon->dashboard_at, daemon->watchdog_at,
			       daemon->beat_at, daemon->next_hops_at};
	int64_t first = milliseconds() + 3600000;

	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++)
		first = earliest(first, due[i]);
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
			daemon->next_hops_at = 0;
		}
		if (!fds[0].revents || read(signals, &signal, sizeof(signal)) != sizeof(signal))
			continue;
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
	daemon->watchdog_at = NEVER;
	if (daemon->options->duration)
		daemon->end_at = milliseconds() + daemon->options->duration * 1000LL;
	if (sd_watchdog_enabled(0, &watchdog) > 0) {
		daemon->watchdog_every = watchdog / 2000;
		daemon->watchdog_at = milliseconds();
	}
}

static enum command_status end(const struct daemon_options *options)
{
	struct error error;
	int err;

	sd_notify(0, "STOPPING=1");
	if (options->linger) {
		log_info("the daemon ends, the datapath goes on");
		return COMMAND_DONE;
	}
	err = datapath_remove(options->instance, &error);
	if (err && err != -ENOENT) /* `stop` may have been faster */
		return command_fail(&error);
	log_info("detached");
	return COMMAND_DONE;
}

static enum command_status run_locked(struct daemon *daemon, struct config *config)
{
	struct error error;
	int signals = open_signals(&error);
	int err = signals < 0 ? signals : put_in_force(daemon, config, &error);
	enum command_status status;

	if (err) {
		if (signals >= 0)
			close(signals);
		config_clear(config);
		command_fail(&error);
		return err == -ERANGE ? COMMAND_USAGE : COMMAND_FAILED;
	}
	adopt_settings(daemon, config);
	start_clocks(daemon);
	if (daemon->options->verbose)
		dashboard(daemon); /* takes the first reading, prints nothing */
	notify_ready(daemon);
	control(daemon, signals);
	status = end(daemon->options);
	rollout_end(&daemon->rollout);
	config_clear(&daemon->config);
	close(signals);
	return status;
}

enum command_status daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = {.options = options, .rollout = ROLLOUT_NONE};
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
