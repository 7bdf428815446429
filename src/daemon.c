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
#include "netdev.h"
#include "nexthop.h"

#define NEVER INT64_MAX

/* What keeps the next hops of a generation fresh. */
struct watch {
	struct datapath_control control;
	struct next_hops *next_hops; /* NULL: none are kept */
};

struct daemon {
	const struct daemon_options *options;
	struct config config; /* in force */
	struct watch watch;
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

/* The interfaces as they are now; -ERANGE: the configuration asks for what they cannot do. */
static int find_links(const struct config *config, struct datapath_links *links,
		      struct error *error)
{
	struct netdev listen, egress;
	int err = netdev_get(config->listen.interface, &listen, error);

	if (!err)
		err = netdev_get(config->forward.interface, &egress, error);
	if (err)
		return err;
	if (config->forward.mtu > egress.mtu)
		return error_set(error, -ERANGE,
				 "forward.mtu: %" PRIu32 " is more than the MTU of %s, %" PRIu32
				 "; lower it, or: ip link set dev %s mtu %" PRIu32,
				 config->forward.mtu, config->forward.interface, egress.mtu,
				 config->forward.interface, config->forward.mtu);
	if (!listen.up)
		log_warning("%s is down; ip link set dev %s up", config->listen.interface,
			    config->listen.interface);
	if (!egress.up && egress.ifindex != listen.ifindex)
		log_warning("%s is down; ip link set dev %s up", config->forward.interface,
			    config->forward.interface);
	links->listen_ifindex = listen.ifindex;
	links->egress_ifindex = egress.ifindex;
	/* in-tree ENA; a redirect is flushed once for many (ena_xdp.c) */
	links->rings_each = strcmp(listen.driver, "ena") == 0;
	links->listen_mtu = listen.mtu;
	links->egress_mtu = egress.mtu;
	memcpy(links->listen_mac, listen.mac, sizeof(links->listen_mac));
	memcpy(links->egress_mac, egress.mac, sizeof(links->egress_mac));
	return 0;
}

static bool uses_version(const struct config *config, int version)
{
	for (size_t i = 0; i < config->rule_count; i++) {
		if (config->rules[i].to.address.version == version)
			return true;
	}
	return version == 4 && config->forward.unmatched == FALLBACK_FORWARD;
}

/* The kernel answers routing questions only for interfaces that forward. */
static void warn_of_forwarding(const struct config *config)
{
	const char *egress = config->forward.interface;

	if (config->forward.next_hop != NEXT_HOP_ROUTE)
		return;
	for (int version = 4; version <= 6; version += 2) {
		if (uses_version(config, version) && !netdev_forwards(egress, version))
			log_warning("IPv%d forwarding is off on %s, so the kernel tells no next "
				    "hops and every packet ends as no_route; sysctl -w "
				    "net/ipv%d/conf/%s/forwarding=1", /* names may have dots */
				    version, egress, version, egress);
	}
}

/* Packets that XDP cannot cut go through the kernel's stack, several times slower. */
static void warn_of_cutting(const struct config *config, enum datapath_cutting cutting)
{
	const char *egress = config->forward.interface;

	if (cutting == DATAPATH_DEVICE_TOO_SMALL)
		log_warning("%s's MTU lets no packet pass that has to be fragmented, so the kernel "
			    "fragments, which is several times slower; set forward.mtu to what may "
			    "be sent, and: ip link set dev %s mtu 3498",
			    egress, egress);
	if (cutting == DATAPATH_KERNEL_TOO_OLD)
		log_warning(
			"this kernel does not copy frames in XDP (Linux 5.14 does), so the "
			"kernel fragments what is larger than forward.mtu, several times slower");
	if (cutting == DATAPATH_GENERIC_MODE)
		log_info("in generic mode the kernel fragments, to the MTU of the route: give "
			 "routes "
			 "out of %s forward.mtu as theirs (ip route ... mtu)",
			 egress);
}

static void report(const struct config *config, const struct datapath_attached *attached,
		   const char *way)
{
	if (*attached->warning)
		log_warning("%s", attached->warning);
	warn_of_forwarding(config);
	log_info("%s: %s, %s mode, forwarding to %s, %zu rule%s", config->listen.interface,
		 attached->adopted ? "program replaced" : "attached", way,
		 config->forward.interface, config->rule_count, config->rule_count == 1 ? "" : "s");
}

/*
 * Finds the next hops of a generation, before it is put in force: from its first packet on it
 * knows what the one before knew. Without them the datapath asks.
 */
static void watch_start(struct watch *watch, const struct config *config, struct datapath *datapath,
			const struct datapath_links *links)
{
	struct next_hops_setup setup = {.ifindex = links->egress_ifindex};
	struct error error;
	int err;

	if (config->forward.next_hop != NEXT_HOP_ROUTE)
		return;
	err = datapath_take_control(datapath, &watch->control, &error);
	if (!err) {
		setup.targets = watch->control.targets;
		setup.count = watch->control.target_count;
		setup.table = watch->control.next_hops;
		snprintf(setup.interface, sizeof(setup.interface), "%s", config->forward.interface);
		err = next_hops_open(&watch->next_hops, &setup, &error);
	}
	if (err)
		log_warning("%s; every packet asks the kernel for its next hop", error.text);
}

static void watch_end(struct watch *watch)
{
	next_hops_close(watch->next_hops);
	watch->next_hops = NULL;
	datapath_release_control(&watch->control);
}

/* Ways to attach, the fastest first. */
static const struct way {
	const char *name;
	bool generic;
	bool multi_buffer;
} ways[] = {
	{"native", false, false},
	{"native, multi-buffer", false, true},
	{"generic", true, false},
};

/* Prepares the configuration for one way to attach beside what is in force, then swaps. */
static int put_in_force_as(struct daemon *daemon, const struct config *config,
			   const struct datapath_links *links, const struct way *way,
			   struct error *error)
{
	const struct datapath_options options = {
		.instance = daemon->options->instance,
		.generic = way->generic,
		.multi_buffer = way->multi_buffer,
	};
	struct watch watch = {.control.beat_fd = -1};
	struct datapath_attached attached;
	struct datapath *datapath = NULL;
	int err = datapath_load(&datapath, config, links, &options, error);

	/* Linux before 5.18 does not know the flag: that way is closed, not the instance broken */
	if (err && way->multi_buffer)
		return -EOPNOTSUPP;
	if (!err) {
		watch_start(&watch, config, datapath, links);
		err = datapath_commit(datapath, options.instance, config, &attached, error);
	}
	if (err) {
		watch_end(&watch);
	} else {
		watch_end(&daemon->watch);
		daemon->watch = watch;
		daemon->beat_at = daemon->next_hops_at = watch.next_hops ? 0 : NEVER;
		warn_of_cutting(config, datapath_cutting(datapath));
		report(config, &attached, way->name);
	}
	datapath_free(datapath);
	return err;
}

/* May this way be taken? What had to be generic is not tried again: that would interrupt traffic. */
static bool way_allowed(const struct way *way, enum xdp_mode mode, bool is_generic)
{
	if (mode == XDP_MODE_AUTO)
		return way->generic || !is_generic;
	return way->generic == (mode == XDP_MODE_GENERIC);
}

static int put_in_force(struct daemon *daemon, const struct config *config, struct error *error)
{
	bool is_generic = datapath_is_generic(daemon->options->instance);
	struct datapath_links links;
	struct error refusal = {0};
	int err;

	log_set_level(config->log.level);
	err = find_links(config, &links, error);
	if (err)
		return err;
	err = -EOPNOTSUPP;
	for (size_t i = 0; err == -EOPNOTSUPP && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!way_allowed(&ways[i], config->listen.xdp_mode, is_generic))
			continue;
		/* the first refusal is the one to mend: it says why the fastest way is closed */
		if (ways[i].generic && *refusal.text)
			log_warning("%s; using generic mode, which is several times slower",
				    refusal.text);
		err = put_in_force_as(daemon, config, &links, &ways[i], error);
		if (err == -EOPNOTSUPP && !*refusal.text)
			refusal = *error;
	}
	if (err == -EOPNOTSUPP)
		*error = refusal;
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
		datapath_beat(&daemon->watch.control);
		daemon->beat_at = now + HEARTBEAT_EVERY_MS;
	}
	if (daemon->watch.next_hops && now >= daemon->next_hops_at)
		daemon->next_hops_at = next_hops_tick(daemon->watch.next_hops, now);
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
			{.fd = daemon->watch.next_hops ? next_hops_fd(daemon->watch.next_hops) : -1,
			 .events = POLLIN},
		};
		struct signalfd_siginfo signal;

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_time(daemon)) <= 0)
			continue;
		if (fds[1].revents) {
			next_hops_handle(daemon->watch.next_hops);
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
	watch_end(&daemon->watch);
	config_clear(&daemon->config);
	close(signals);
	return status;
}

enum command_status daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = {.options = options, .watch.control.beat_fd = -1};
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
