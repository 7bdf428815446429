// SPDX-License-Identifier: GPL-2.0-only
/* Judging a reading: the program, the interfaces, the control loop; delivery.c judges the packets. */
#include <inttypes.h>
#include <string.h>

#include "observe/delivery.h"
#include "observe/health.h"
#include "datapath/owner.h"
#include "instance/bpffs.h"
#include "instance/daemon.h"
#include "instance/instance.h"
#include "instance/drained.h"
#include "instance/reloads.h"
#include "net/driver_features.h"
#include "net/netdev.h"
#include "base/quote.h"
#include "net/xdp_program.h"

/* No daemon is known: that is all, unless an interface carries what somebody else attached. */
static void judge_nothing(struct health *health, const char *unit)
{
	char program[XDP_PROGRAM_TEXT_SIZE];
	struct datapath_stray stray;

	if (datapath_find_stray(&stray))
		health_add(
			health, HEALTH_BAD,
			"nothing of this instance is pinned here, but %s carries the XDP program "
			"%s, " INSTANCE_PINNED_ELSEWHERE " ask there",
			stray.interface, xdp_program_format(&stray.program, program));
	else
		health_add(health, HEALTH_BAD, "nothing is attached; systemctl start %s", unit);
}

static void judge_absence(struct health *health, const char *instance,
			  const struct instance_reloads *said, const struct instance_daemon *daemon)
{
	char unit[INSTANCE_UNIT_SIZE], text[DAEMON_TEXT_SIZE];

	instance_unit(unit, instance);
	instance_daemon_text(daemon, text);
	if (daemon->place == DAEMON_NOWHERE)
		judge_nothing(health, unit);
	else if (!said->ended)
		health_add(health, HEALTH_BAD, "the daemon, %s, is starting", text);
	else if (*said->trouble)
		health_add(health, HEALTH_BAD, "waiting for its interfaces: %s", said->trouble);
	else if (daemon->place == DAEMON_FOREIGN)
		health_add(health, HEALTH_BAD,
			   "the pins are not in the BPF file system of this mount namespace; the "
			   "daemon, %s, sees them: ask there",
			   text);
	else if (instance_has_bpffs())
		health_add(health, HEALTH_BAD,
			   "the pinned state is gone; the daemon, %s, pins it again within "
			   "seconds, or does not respond: systemctl restart %s",
			   text, unit);
	else
		health_add(health, HEALTH_BAD,
			   "the pinned state is gone, as " INSTANCE_BPFFS
			   " was unmounted; mount -t bpf bpf " INSTANCE_BPFFS
			   ", and the daemon pins it again");
}

static void judge_attachment(struct health *health, const char *instance,
			     const struct datapath_condition *condition,
			     const struct instance_reloads *said,
			     const struct instance_daemon *daemon)
{
	const char *listen = condition->info.listen;
	struct xdp_program other;
	struct error ignored;
	struct netdev netdev;
	char program[XDP_PROGRAM_TEXT_SIZE], removal[XDP_REMOVAL_SIZE];

	switch (condition->state) {
	case DATAPATH_ABSENT:
		judge_absence(health, instance, said, daemon);
		return;
	case DATAPATH_REPLACED:
		health_add(health, HEALTH_BAD,
			   "another tool put its program into %s's link; a reload puts "
			   "this one back",
			   listen);
		return;
	case DATAPATH_DETACHED:
		if (netdev_get(listen, &netdev, &ignored))
			return; /* which is the reason, and said of the interface */
		other = xdp_program_on(netdev.ifindex);
		if (other.id)
			health_add(health, HEALTH_BAD,
				   "the program was detached from %s, which carries the XDP "
				   "program %s instead; %s, and a reload attaches this one again",
				   listen, xdp_program_format(&other, program),
				   xdp_program_removal(&other, listen, removal));
		else
			health_add(health, HEALTH_BAD,
				   "the program was detached from %s; a reload attaches it "
				   "again",
				   listen);
		return;
	case DATAPATH_ATTACHED:
		return;
	}
}

/* Returns whether the interface can carry traffic. */
static bool judge_link(struct health *health, const char *name, uint32_t ifindex,
		       struct netdev *netdev)
{
	struct error ignored;
	char word[QUOTE_SIZE(CONFIG_INTERFACE_SIZE)];

	if (netdev_get(name, netdev, &ignored))
		health_add(health, HEALTH_BAD, "%s does not exist", name);
	else if ((uint32_t)netdev->ifindex != ifindex)
		health_add(health, HEALTH_BAD,
			   "%s is not the interface that the program is attached to: it "
			   "was made anew",
			   name);
	else if (!netdev->up)
		health_add(health, HEALTH_BAD, "%s is down; ip link set dev %s up", name,
			   quote_word(word, sizeof(word), name));
	else if (!netdev->carrier)
		health_add(health, HEALTH_BAD, "%s has no carrier", name);
	else
		return true;
	return false;
}

/*
 * Does the kernel refuse every frame that is redirected to the interface? Linux before 6.3 does not say, and asks the driver
 * for each. The kernel does not tell of copies for fragments that it leaves out for this.
 */
static bool refuses_redirected(const struct instance_info *info)
{
	uint64_t features;

	return !info->generic && info->egress_ifindex != info->listen_ifindex &&
	       driver_xdp_features((int)info->egress_ifindex, &features) == 0 &&
	       !(features & DRIVER_XDP_TRANSMIT);
}

static void judge_egress(struct health *health, const struct datapath_condition *condition,
			 const struct netdev *egress)
{
	const char *name = condition->info.egress;

	if (condition->mtu > egress->mtu)
		health_add(health, HEALTH_BAD,
			   "%s's MTU is %" PRIu32 ", less than the %" PRIu32
			   " bytes that packets may have",
			   name, egress->mtu, condition->mtu);
	if (condition->egress_detached && !xdp_program_on(egress->ifindex).id)
		health_add(health, HEALTH_BAD,
			   "the passing program was detached from %s, whose driver may "
			   "refuse redirected packets without one; a reload attaches it",
			   name);
	else if (refuses_redirected(&condition->info))
		health_add(health, HEALTH_BAD,
			   "%s takes no redirected frames, so that all are lost; vxlan-pipeline "
			   "check says why",
			   name);
}

/* Forwarding goes on, and another appliance of the kind is no faster. */
static void judge_mode(struct health *health, const struct instance_info *info)
{
	if (info->generic == GENERIC_FALLBACK)
		health_add(health, HEALTH_DEGRADED,
			   "%s is in generic mode, which is slower, as native mode was refused; "
			   "vxlan-pipeline check says why, and listen.xdp_mode: generic accepts it",
			   info->listen);
}

static void judge_control(struct health *health, const char *instance,
			  const struct datapath_condition *condition,
			  const struct instance_reloads *said, const struct instance_daemon *daemon)
{
	char unit[INSTANCE_UNIT_SIZE], text[DAEMON_TEXT_SIZE];

	instance_unit(unit, instance);
	instance_daemon_text(daemon, text);
	if (daemon->place == DAEMON_NOWHERE)
		health_add(health, HEALTH_BAD,
			   "no daemon runs, so that nothing follows changes of interfaces, routes "
			   "and neighbours; systemctl start %s",
			   unit);
	else if (!said->ended)
		health_add(health, HEALTH_BAD, "the daemon, %s, is starting", text);
	else if (condition->beat_age_ms < 0)
		health_add(health, HEALTH_BAD, "the daemon, %s, has given no sign of life", text);
	else if (condition->beat_age_ms > HEALTH_STALLED_MS)
		health_add(health, HEALTH_BAD,
			   "the daemon, %s, has stalled: its last sign of life was "
			   "%.1f s ago; systemctl restart %s, during which packets go on",
			   text, condition->beat_age_ms / 1e3, unit);
	if (*said->trouble)
		health_add(health, HEALTH_BAD, "the configuration cannot be applied again: %s",
			   said->trouble);
}

/* What is pinned, and the daemon that controls it. */
static void judge_datapath(struct health *health, struct health_watch *watch, const char *instance,
			   const struct datapath_condition *condition,
			   const struct instance_reloads *said,
			   const struct instance_daemon *daemon)
{
	const struct instance_info *info = &condition->info;
	struct netdev listen, egress;
	bool carries;

	if (instance_is_drained(instance))
		health_add(health, HEALTH_BAD, "draining; vxlan-pipeline drain --undo ends it");
	carries = judge_link(health, info->listen, info->listen_ifindex, &listen);
	if (info->egress_ifindex != info->listen_ifindex)
		carries = judge_link(health, info->egress, info->egress_ifindex, &egress);
	else
		egress = listen;
	if (carries)
		judge_egress(health, condition, &egress);
	delivery_judge(health, watch, condition, carries);
	judge_control(health, instance, condition, said, daemon);
	judge_mode(health, info);
}

void health_judge(struct health *health, struct health_watch *watch, const char *instance,
		  const struct datapath_condition *condition, const struct instance_daemon *daemon,
		  const struct instance_reloads *said)
{
	struct instance_reloads read = {.ended = 1};

	memset(health, 0, sizeof(*health));
	if (daemon->place != DAEMON_NOWHERE && !said)
		instance_read_reloads(instance, &read);
	if (!said)
		said = &read;
	judge_attachment(health, instance, condition, said, daemon);
	if (condition->state != DATAPATH_ABSENT)
		judge_datapath(health, watch, instance, condition, said, daemon);
	if (*said->unserved)
		health_add(health, HEALTH_DEGRADED,
			   "HTTP is not served, which is tried again every second: %s",
			   said->unserved);
}
