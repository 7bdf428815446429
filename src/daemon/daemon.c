// SPDX-License-Identifier: GPL-2.0-only
/* An instance's controller: start, reload, end, and the loop in between. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/internal.h"
#include "daemon/notify.h"
#include "daemon/warnings.h"
#include "datapath/datapath.h"
#include "instance/instance.h"
#include "instance/lock.h"
#include "instance/pins.h"
#include "instance/pins_lock.h"
#include "instance/reloads.h"
#include "base/log.h"
#include "base/privilege.h"
#include "base/refusal.h"

#define HOLDING_MS 3500

#define DEBUG_LINES 40 /* of what the kernel's verifier says; the last ones give the reason */

static void debug_lines(const char *text)
{
	size_t lines = 0, length;

	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	for (; *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		if (lines-- <= DEBUG_LINES || text[length] == '\0')
			log_debug("%.*s", (int)length, text);
	}
}

/*
 * Does the most urgent jobs of the control loop while it loads a configuration. The heartbeat makes the
 * datapath trust its next hops, so this follows them, too. Returns false to call the load off.
 */
static bool note_progress(void *data)
{
	struct daemon *daemon = data;

	daemon_follow_next_hops(daemon);
	datapath_beat(&daemon->applied.control);
	pages_note_alive(daemon->web.pages);
	daemon_keep_watchdog(daemon);
	return !daemon_is_to_end();
}

static void daemon_apply_settings(struct daemon *daemon, struct config *config)
{
	config_clear(&daemon->config);
	daemon->config = *config;
	daemon->monitor.target_pps = config->monitor.target_pps;
	daemon->monitor.warning_pps = config->monitor.warning_pps;
	daemon->due[JOB_DASHBOARD] =
		daemon->options->verbose ? clock_ms() + config->monitor.interval * 1000LL : NEVER;
}

/* Applies the datapath as a whole or not at all, then the rest. On success it takes over *config. */
static int daemon_apply(struct daemon *daemon, struct config *config, struct error *error)
{
	int err = daemon_apply_datapath(daemon, config, error);

	if (err && !daemon_may_wait(daemon, err))
		return err;
	if (err)
		daemon_begin_waiting(daemon, error);
	daemon_apply_settings(daemon, config);
	daemon_serve(daemon);
	/* what reading and loading took is needed no more until the next reload */
	malloc_trim(0);
	return 0;
}

static void log_problems(const struct config_problems *problems)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (!stream)
		return;
	config_problems_print(problems, stream);
	if (fclose(stream) == 0)
		log_text(text);
}

/* Every problem is logged; the first one is what the error says. */
static int daemon_load(const struct daemon *daemon, struct config *config, struct error *error)
{
	const struct daemon_options *options = daemon->options;
	struct config_problems problems;
	char first[sizeof(error->text) / 2];
	size_t count;
	int err = config_load(config, options->config_path, options->overrides,
			      options->override_count, &daemon->applied.progress, &problems);

	if (err) {
		log_problems(&problems);
		error_set(error, err, "%s%s",
			  config_problems_first(&problems, first, sizeof(first)),
			  err == -EACCES ? "; the daemon reads what root owns, or all may read"
					 : "");
		count = problems.count + problems.unlisted;
		if (count > 1)
			error_set(error, err, "%s; the log lists %zu more problem%s", first,
				  count - 1, count == 2 ? "" : "s");
	}
	config_problems_clear(&problems);
	return err;
}

/* SIGHUP: all of the new configuration, or none of it. */
static void daemon_reload(struct daemon *daemon)
{
	struct config config;
	struct error error;
	bool failed = true;

	daemon->reloads.begun++;
	daemon_note_reloads(daemon);
	/* not rounded down: what seems older than its own SIGHUP, systemd takes no notice of */
	notify_manager("RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_us());
	if (daemon_load(daemon, &config, &error)) {
		log_error("not reloaded: the configuration has errors; the one before stays");
	} else if (daemon_apply(daemon, &config, &error)) {
		log_error("not reloaded: %s; the configuration before stays", error.text);
		log_set_level(daemon->config.log.level);
		config_clear(&config);
	} else {
		log_info("reloaded");
		failed = false;
	}
	pages_note_reload(daemon->web.pages, failed);
	daemon_notify_status(daemon, "READY=1\n");
	daemon->reloads.ended = daemon->reloads.begun;
	daemon->reloads.ended_at = time(NULL);
	daemon->reloads.failed = failed;
	snprintf(daemon->reloads.why, sizeof(daemon->reloads.why), "%s", failed ? error.text : "");
	daemon_note_reloads(daemon);
}

/* What a signal asks for; false: to end. */
static bool daemon_obey(struct daemon *daemon, int signals)
{
	struct signalfd_siginfo signal;

	if (read(signals, &signal, sizeof(signal)) != sizeof(signal))
		return true;
	if (signal.ssi_signo == SIGUSR1)
		daemon->linger = true;
	if (signal.ssi_signo != SIGHUP)
		return false;
	daemon_reload(daemon);
	return true;
}

/* Until a signal or the duration ends it. */
static void control(struct daemon *daemon, int signals)
{
	while (daemon_run_jobs(daemon)) {
		const struct applied *applied = &daemon->applied;
		struct pollfd fds[] = {
			{.fd = signals, .events = POLLIN},
			{.fd = applied->next_hops ? next_hops_fd(applied->next_hops) : -1,
			 .events = POLLIN},
			{.fd = datapath_wanted_fd(&applied->control), .events = POLLIN},
			{.fd = daemon->rules ? netlink_fd(daemon->rules) : -1, .events = POLLIN},
		};

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), daemon_idle_time(daemon)) <= 0)
			continue;
		if (fds[1].revents)
			daemon_follow_next_hops(daemon);
		if (fds[2].revents)
			daemon_ask_neighbours(daemon);
		if (fds[3].revents && silence_events(daemon->rules)) {
			daemon->rules_changed = true;
			if (daemon->applied.may_pass) /* else by whom does not matter */
				daemon->due[JOB_SILENCE] = 0;
		}
		if (fds[0].revents && !daemon_obey(daemon, signals))
			return;
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

/*
 * The kernel holds a packet for up to 3 s while it looks for the neighbour, and then tells its sender:
 * not before all that was passed is over may the rules go that keep it from that.
 */
static void await_answers(const struct daemon *daemon)
{
	int64_t left = daemon->passed_at + HOLDING_MS - clock_ms();

	if (!daemon->passed_at || left <= 0)
		return;
	log_info("waiting %.1f s for packets that the kernel may still hold", left / 1000.0);
	poll(NULL, 0, (int)left);
}

/* The instance ends with its daemon, unless it is to linger. */
static int end(const struct daemon *daemon, struct error *error)
{
	int err;

	notify_manager("STOPPING=1");
	if (daemon->linger) {
		log_info("the daemon ends, the datapath goes on");
		return 0;
	}
	err = datapath_remove(daemon->options->instance, error);
	if (err && err != -ENOENT) /* `stop` may have been faster */
		return err;
	await_answers(daemon);
	err = silence_end(daemon->options->instance, error);
	if (!err)
		log_info("detached");
	return err;
}

/* The first load is reported as the reloads after it are. */
static int start(struct daemon *daemon, struct config *config, struct error *error)
{
	int err = web_open(&daemon->web, daemon->options->instance, error);

	daemon->applied.progress = (struct progress){note_progress, daemon};
	daemon->reloads.begun = 1;
	daemon_note_reloads(daemon);
	if (!err)
		err = daemon_apply(daemon, config, error);
	if (!err)
		warn_of_bpffs(daemon->options->instance);
	daemon->reloads.ended = 1;
	daemon_note_reloads(daemon);
	return err;
}

/* Waits for the signal that ends this process, past those that ask for a reload. */
static void take_last_signal(struct daemon *daemon, int signals)
{
	struct signalfd_siginfo signal = {.ssi_signo = SIGHUP};

	while (signal.ssi_signo == SIGHUP &&
	       read(signals, &signal, sizeof(signal)) == sizeof(signal))
		daemon->linger |= signal.ssi_signo == SIGUSR1;
}

static int run_locked(struct daemon *daemon, struct config *config, int signals,
		      struct error *error)
{
	int err = start(daemon, config, error);

	if (err == -ECANCELED) { /* told to end before it was ready */
		take_last_signal(daemon, signals);
		config_clear(config);
		err = end(daemon, error);
	} else if (err) {
		config_clear(config);
	} else {
		daemon_start_jobs(daemon);
		daemon_notify_status(daemon, "READY=1\n");
		control(daemon, signals);
		err = end(daemon, error);
		applied_release(&daemon->applied);
		config_clear(&daemon->config);
	}
	web_close(&daemon->web);
	return err;
}

/*
 * Keeps other daemons out, here and wherever the pins are seen, once it is known that this process may do
 * its work. The lock's descriptor, or -errno.
 */
static int lock_instance(const char *instance, struct error *error)
{
	int lock, err = privilege_check(error);

	if (!err)
		err = refusal_check(error);
	if (err)
		return err;
	lock = instance_lock(instance, error);
	if (lock < 0)
		return lock;
	err = instance_make_pins(instance, error);
	if (!err)
		return lock;
	instance_unlock(instance, lock);
	return err;
}

int daemon_run(const struct daemon_options *options, struct config *config, struct error *error)
{
	struct daemon daemon = {.options = options,
				.self = instance_this_daemon(),
				.applied = APPLIED_NONE,
				.web = WEB_NONE,
				.monitor.color = options->color,
				.linger = options->linger};
	_cleanup_close_ int signals = -1;
	int lock, err;

	datapath_set_debug(debug_lines);
	silence_open_events(&daemon.rules);
	/* before the lock says which process to send them to */
	signals = open_signals(error);
	lock = signals < 0 ? signals : lock_instance(options->instance, error);
	if (lock < 0) {
		netlink_close(daemon.rules);
		config_clear(config);
		return lock;
	}
	err = run_locked(&daemon, config, signals, error);
	netlink_close(daemon.rules);
	instance_unlock_pins(options->instance);
	instance_unlock(options->instance, lock);
	return err;
}
