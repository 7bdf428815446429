// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/traffic.h"
#include "tune/internal.h"

/* As with max_cstate=1: CPUs wake up from this idle state within a few microseconds. */
#define DEEPEST_IDLE_STATE 1
#define IDLE_FILES         TUNE_CPUS "cpu[0-9]*/cpuidle/state%" PRId64 "/disable"

/* The longest that interrupts are held back, however slowly the ring fills. */
#define MAX_RX_USECS 64
/* One in so many descriptors may fill up meanwhile; the others are left in case the CPU is late. */
#define RING_SHARE   8

struct planning {
	const struct host *host;
	const struct config *config;
	const char *instance;
	struct tune_plan *plan;
	bool single_arm;
	bool native; /* the program may be attached in native mode */
};

/* Plans a change; NULL: the value is that already, or there is no room. */
static struct tune_setting *want(const struct planning *planning, enum tune_kind kind,
				 const char *object, int64_t before, int64_t after, const char *why)
{
	struct tune_plan *plan = planning->plan;
	struct tune_setting *setting;

	if (before == HOST_UNKNOWN || before == after || plan->count == TUNE_MAX_SETTINGS)
		return NULL;
	setting = &plan->list[plan->count++];
	*setting = (struct tune_setting){.kind = kind, .before = before, .after = after};
	snprintf(setting->object, sizeof(setting->object), "%s", object);
	snprintf(setting->why, sizeof(setting->why), "%s", why);
	return setting;
}

static void skip(struct tune_setting *setting, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void skip(struct tune_setting *setting, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(setting->skipped, sizeof(setting->skipped), format, args);
	va_end(args);
}

bool tune_must_wait(enum tune_kind kind, const struct host_link *link, const char *instance,
		    char *why)
{
	const char *holder =
		strcmp(link->xdp_owner, "instance") == 0 ? instance : link->xdp_instance;

	if (!tune_interrupts(kind) || link->xdp_id <= 0)
		return false;
	if (*holder)
		snprintf(why, TUNE_SKIPPED_SIZE,
			 "%s forwards now, which this would interrupt; first: vxlan-pipeline stop "
			 "--instance %s",
			 link->name, holder);
	else if (strcmp(link->xdp_owner, "ours") == 0)
		snprintf(why, TUNE_SKIPPED_SIZE,
			 "%s serves an instance, which this would interrupt; first: vxlan-pipeline "
			 "stop --instance NAME, one that ls " INSTANCE_PINS " names",
			 link->name);
	else
		snprintf(why, TUNE_SKIPPED_SIZE,
			 "%s carries an XDP program, whose traffic this would interrupt; first: "
			 "stop what attached it",
			 link->name);
	return true;
}

/* The same for a setting of an interface, which may have to wait. */
static void want_link(const struct planning *planning, enum tune_kind kind,
		      const struct host_link *link, int64_t before, int64_t after, const char *why)
{
	struct tune_setting *setting = want(planning, kind, link->name, before, after, why);

	if (setting)
		tune_must_wait(kind, link, planning->instance, setting->skipped);
}

static void plan_mtu(const struct planning *planning, const struct host_link *link,
		     const struct driver *driver, bool egress)
{
	struct tune_plan *plan = planning->plan;
	size_t before = plan->count;
	uint32_t needed = egress ? planning->config->forward.mtu : 0;

	if (!driver->xdp_mtu || link->mtu <= driver->xdp_mtu)
		return;
	want_link(planning, TUNE_MTU, link, link->mtu, driver->xdp_mtu,
		  "the driver takes XDP programs up to this MTU");
	if (plan->count > before && needed > driver->xdp_mtu)
		skip(&plan->list[before], "forward.mtu is %" PRIu32 "; lower that first", needed);
}

static void plan_channels(const struct planning *planning, const struct host_link *link,
			  const struct driver *driver)
{
	int64_t beside = link->channels_max - planning->host->cpus;

	if (driver->xdp_channels && link->channels > driver->xdp_channels)
		want_link(planning, TUNE_CHANNELS, link, link->channels, driver->xdp_channels,
			  "the driver wants as many channels again for XDP");
	/* in native mode the driver also counts the channels that it has taken for XDP */
	if (driver->channel_each_cpu && strcmp(link->xdp_mode, "native") != 0 && beside >= 1 &&
	    link->channels > beside)
		want_link(planning, TUNE_CHANNELS, link, link->channels, beside,
			  "each CPU then has a channel of its own to send from XDP");
}

static void plan_link(const struct planning *planning, const struct host_link *link, bool egress)
{
	struct driver driver = host_link_driver(planning->host, link);

	if (!planning->native || driver.native == ANSWER_NO)
		return;
	plan_mtu(planning, link, &driver, egress);
	plan_channels(planning, link, &driver);
}

/* How long interrupts may be held back without the target rate filling its share of the ring. */
static int64_t longest_usecs(const struct host_link *link, uint32_t target_pps)
{
	int64_t ring = link->rx_ring_max > 0 ? link->rx_ring_max : 256;
	int64_t usecs = target_pps ? ring / RING_SHARE * 1000000 / target_pps : MAX_RX_USECS;

	if (usecs > MAX_RX_USECS)
		return MAX_RX_USECS;
	return usecs > 1 ? usecs : 1;
}

static void plan_receive(const struct planning *planning)
{
	const struct host_link *link = &planning->host->listen;
	int64_t usecs = longest_usecs(link, planning->config->monitor.target_pps);

	if (link->rx_ring_max > 0)
		want_link(planning, TUNE_RX_RING, link, link->rx_ring, link->rx_ring_max,
			  "a longer ring bridges longer pauses of a CPU");
	if (link->adaptive_rx == 1)
		want_link(planning, TUNE_ADAPTIVE_RX, link, 1, 0,
			  "a fixed delay serves a steady stream better than a guessed one");
	if (link->rx_usecs > usecs)
		want_link(planning, TUNE_RX_USECS, link, link->rx_usecs, usecs,
			  "monitor.target_pps then leaves most of the ring free");
}

static void want_sysctl(const struct planning *planning, int version, const char *interface,
			const char *name, int64_t before, int64_t after, const char *why)
{
	char path[TUNE_OBJECT_SIZE];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv%d/conf/%s/%s", version, interface, name);
	want(planning, TUNE_FILE, path, before, after, why);
}

static void plan_forwarding(const struct planning *planning, const struct host_link *link,
			    int version, const char *why)
{
	int64_t now = version == 4 ? link->forwarding4 : link->forwarding6;

	if (now != 0)
		return;
	/*
	 * an interface that starts to forward ignores routers and forgets the default route from
	 * them
	 */
	if (version == 6 && link->accept_ra == 1)
		want_sysctl(planning, 6, link->name, "accept_ra", 1, 2,
			    "routes learned from routers outlive forwarding");
	want_sysctl(planning, version, link->name, "forwarding", 0, 1, why);
}

static void plan_zero(const struct planning *planning, const char *name, int64_t all, int64_t own,
		      const char *why)
{
	if (all > 0)
		want_sysctl(planning, 4, "all", name, all, 0, why);
	if (own > 0)
		want_sysctl(planning, 4, planning->host->listen.name, name, own, 0, why);
}

/* Plans what the kernel needs to forward packets, if this configuration passes it any. */
static void plan_passing(const struct planning *planning)
{
	static const char tells[] = "the kernel tells next hops only where it forwards";
	static const char forwards[] = "the kernel forwards what is handed to it";
	const struct host *host = planning->host;
	bool asks = planning->config->forward.next_hop == NEXT_HOP_ROUTE;

	if (asks && config_may_send(planning->config, 4))
		plan_forwarding(planning, &host->forward, 4, tells);
	if (traffic_passes_version(planning->config, host, 4) && (!planning->single_arm || !asks))
		plan_forwarding(planning, &host->listen, 4, forwards);
	if (asks && config_may_send(planning->config, 6))
		plan_forwarding(planning, &host->forward, 6, tells);
	/* older kernels have only a switch for all interfaces, which is left to the user */
	if (traffic_passes_version(planning->config, host, 6) && host->forwarding6 == 0)
		want_sysctl(planning, 6, host->listen.name, "force_forwarding",
			    host->listen.force_forwarding6, 1, forwards);
	if (!traffic_passes_version(planning->config, host, 4))
		return;
	plan_zero(planning, "rp_filter", host->rp_filter, host->listen.rp_filter,
		  "captured sources are not reached through this interface");
	plan_zero(planning, "send_redirects", host->send_redirects, host->listen.send_redirects,
		  "captured senders must not be told anything");
}

static void plan_idle(const struct planning *planning)
{
	for (int64_t state = DEEPEST_IDLE_STATE + 1; state <= planning->host->idle_state; state++) {
		char pattern[TUNE_OBJECT_SIZE];

		snprintf(pattern, sizeof(pattern), IDLE_FILES, state);
		want(planning, TUNE_FILE, pattern, 0, 1,
		     "CPUs that sleep less deeply wake up sooner");
	}
}

void tune_plan(const struct host *host, const struct config *config, const char *instance,
	       struct tune_plan *plan)
{
	const struct planning planning = {
		.host = host,
		.config = config,
		.instance = instance,
		.plan = plan,
		.single_arm = strcmp(host->listen.name, host->forward.name) == 0,
		.native = config->listen.xdp_mode != XDP_MODE_GENERIC,
	};

	plan->count = 0;
	plan_link(&planning, &host->listen, planning.single_arm);
	if (!planning.single_arm)
		plan_link(&planning, &host->forward, true);
	plan_receive(&planning);
	plan_passing(&planning);
	plan_idle(&planning);
}
