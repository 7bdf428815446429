// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "observe/health.h"
#include "instance/instance.h"
#include "instance/drained.h"
#include "instance/pins.h"
#include "instance/reloads.h"
#include "datapath/names.h"
#include "net/netdev.h"
#include "base/quote.h"
#include "net/rtnl.h"
#include "net/xdp_program.h"

#define FAILING_PART 100   /* one packet lost in so many is more than a burst too many */
#define LEAKING_PART 10000 /* and one in so many, LEAKING_FOR readings in a row */
#define LEAKING_FOR  3
#define IDLE_HOLD    2 /* readings without traffic, which say nothing, that a reason outlasts */

void health_add(struct health *health, const char *format, ...)
{
	va_list args;

	if (health->count == HEALTH_MAX_REASONS)
		return;
	va_start(args, format);
	vsnprintf(health->reasons[health->count++], HEALTH_REASON_SIZE, format, args);
	va_end(args);
}

static void judge_absence(struct health *health, const char *instance,
			  const struct instance_reloads *said, pid_t daemon)
{
	char unit[INSTANCE_UNIT_SIZE];

	instance_unit(unit, instance);
	if (!daemon)
		health_add(health, "nothing is attached; systemctl start %s", unit);
	else if (!said->ended)
		health_add(health, "the daemon, process %d, is starting", (int)daemon);
	else if (*said->trouble)
		health_add(health, "waiting for its interfaces: %s", said->trouble);
	else if (instance_has_bpffs())
		health_add(health,
			   "the pinned state is gone; the daemon, process %d, pins it again within "
			   "seconds, or does not respond: systemctl restart %s",
			   (int)daemon, unit);
	else
		health_add(health, "the pinned state is gone, as " INSTANCE_BPFFS
				   " was unmounted; mount -t bpf bpf " INSTANCE_BPFFS
				   ", and the daemon pins it again");
}

static void judge_attachment(struct health *health, const char *instance,
			     const struct datapath_condition *condition,
			     const struct instance_reloads *said, pid_t daemon)
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
		health_add(health,
			   "another tool put its program into %s's link; a reload puts "
			   "this one back",
			   listen);
		return;
	case DATAPATH_DETACHED:
		if (netdev_get(listen, &netdev, &ignored))
			return; /* which is the reason, and said of the interface */
		other = xdp_program_on(netdev.ifindex);
		if (other.id)
			health_add(health,
				   "the program was detached from %s, which carries the XDP "
				   "program %s instead; %s, and a reload attaches this one again",
				   listen, xdp_program_format(&other, program),
				   xdp_program_removal(&other, listen, removal));
		else
			health_add(health,
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
		health_add(health, "%s does not exist", name);
	else if ((uint32_t)netdev->ifindex != ifindex)
		health_add(health,
			   "%s is not the interface that the program is attached to: it "
			   "was made anew",
			   name);
	else if (!netdev->up)
		health_add(health, "%s is down; ip link set dev %s up", name,
			   quote_word(word, sizeof(word), name));
	else if (!netdev->carrier)
		health_add(health, "%s has no carrier", name);
	else
		return true;
	return false;
}

static void judge_egress(struct health *health, const struct datapath_condition *condition,
			 const struct netdev *egress)
{
	const char *name = condition->info.egress;

	if (condition->mtu > egress->mtu)
		health_add(health,
			   "%s's MTU is %" PRIu32 ", less than the %" PRIu32
			   " bytes that packets may have",
			   name, egress->mtu, condition->mtu);
	if (condition->egress_detached && !xdp_program_on(egress->ifindex).id)
		health_add(health,
			   "the passing program was detached from %s, whose driver may "
			   "refuse redirected packets without one; a reload attaches it",
			   name);
}

/* Why a next hop is not known, as the kernel's tables are now. `rtnl` NULL: they cannot be asked. */
static void judge_next_hop(struct health *health, const struct datapath_unresolved *hop,
			   const struct instance_info *info, struct netlink *rtnl)
{
	const char *consequence =
		hop->failed ? "does not answer; packets for it are dropped" : "is not resolved yet";
	char target[ADDR_TEXT_SIZE], next[ADDR_TEXT_SIZE] = "";
	struct rtnl_route route = {.type = RTNL_UNICAST};
	bool known = rtnl && !rtnl_get_route(rtnl, &hop->target, (int)info->egress_ifindex, &route);

	ip_address_format(&hop->target, target);
	if (known && route.type == RTNL_UNICAST)
		ip_address_format(&route.next_hop, next);
	if (route.type == RTNL_NO_ROUTE)
		health_add(health, "%s (rule %" PRIu32 "): no route leads there out of %s", target,
			   hop->rule, info->egress);
	else
		health_add(health, "%s (rule %" PRIu32 "): its next hop%s%s on %s %s", target,
			   hop->rule, *next ? " " : "", next, info->egress, consequence);
}

static void judge_next_hops(struct health *health, const struct datapath_condition *condition)
{
	size_t unknown = condition->next_hops[NEXT_HOP_UNKNOWN];
	size_t failed = condition->next_hops[NEXT_HOP_FAILED];
	struct netlink *rtnl;

	if (!condition->unresolved_count || rtnl_open(&rtnl))
		rtnl = NULL;
	for (size_t i = 0; i < condition->unresolved_count; i++)
		judge_next_hop(health, &condition->unresolved[i], &condition->info, rtnl);
	netlink_close(rtnl);
	if (unknown + failed > condition->unresolved_count && condition->unresolved_count)
		health_add(health, "%zu next hops more are not resolved",
			   unknown + failed - condition->unresolved_count);
}

static uint64_t count_sent(const struct counters *counters)
{
	return counters->verdict[VERDICT_REDIRECTED].packets +
	       counters->verdict[VERDICT_TRANSMITTED].packets +
	       counters->verdict[VERDICT_FRAGMENTED].packets;
}

/*
 * Packets of one kind that were believed sent, since the reading before. Returns whether they are a
 * reason, also one that no packet has disproved: where few come, each reading has one or none.
 */
static bool is_losing(struct health_watch *watch, enum loss kind, uint64_t lost, uint64_t sent)
{
	uint64_t fresh = lost - watch->kinds[kind].lost, of = sent - watch->sent;
	bool known = watch->seen && lost >= watch->kinds[kind].lost && sent >= watch->sent;

	watch->kinds[kind].lost = lost;
	if (known && fresh > of / LEAKING_PART)
		watch->kinds[kind].leaking++;
	else if (of || !known)
		watch->kinds[kind].leaking = 0;
	if (known &&
	    (fresh > of / FAILING_PART || (fresh && watch->kinds[kind].leaking >= LEAKING_FOR))) {
		watch->kinds[kind].fresh = fresh;
		watch->kinds[kind].of = of > fresh ? of : fresh;
		watch->kinds[kind].readings = IDLE_HOLD;
		return true;
	}
	if (known && !of && !fresh && watch->kinds[kind].readings) {
		watch->kinds[kind].readings--;
		return true;
	}
	watch->kinds[kind].readings = 0;
	return false;
}

static void health_judge_losses(struct health *health, struct health_watch *watch,
				const struct datapath_condition *condition)
{
	uint64_t sent = count_sent(&condition->counters);

	for (enum loss kind = 0; kind < LOSS_COUNT; kind++) {
		int error = condition->losses.of[kind].error;

		if (is_losing(watch, kind, condition->losses.of[kind].packets, sent))
			health_add(health, "%" PRIu64 " of %" PRIu64 " packets were %s: %s",
				   watch->kinds[kind].fresh, watch->kinds[kind].of,
				   loss_meaning(kind),
				   error ? strerror(-error) : "no reason given");
	}
	watch->sent = sent;
	watch->seen = true;
}

static void judge_control(struct health *health, const char *instance,
			  const struct datapath_condition *condition,
			  const struct instance_reloads *said, pid_t daemon)
{
	char unit[INSTANCE_UNIT_SIZE];

	instance_unit(unit, instance);
	if (!daemon)
		health_add(health,
			   "no daemon runs, so that nothing follows changes of interfaces, routes "
			   "and neighbours; systemctl start %s",
			   unit);
	else if (!said->ended)
		health_add(health, "the daemon, process %d, is starting", (int)daemon);
	else if (condition->beat_age_ms < 0)
		health_add(health, "the daemon, process %d, has given no sign of life",
			   (int)daemon);
	else if (condition->beat_age_ms > HEALTH_STALLED_MS)
		health_add(health,
			   "the daemon, process %d, has stalled: its last sign of life was "
			   "%.1f s ago; systemctl restart %s, during which packets go on",
			   (int)daemon, condition->beat_age_ms / 1e3, unit);
	if (*said->trouble)
		health_add(health, "the configuration cannot be applied again: %s", said->trouble);
}

/* What is pinned, and the daemon that controls it. */
static void judge_datapath(struct health *health, struct health_watch *watch, const char *instance,
			   const struct datapath_condition *condition,
			   const struct instance_reloads *said, pid_t daemon)
{
	const struct instance_info *info = &condition->info;
	struct netdev listen, egress;
	bool carries;

	if (instance_is_drained(instance))
		health_add(health, "draining; vxlan-pipeline drain --undo ends it");
	carries = judge_link(health, info->listen, info->listen_ifindex, &listen);
	if (info->egress_ifindex != info->listen_ifindex)
		carries = judge_link(health, info->egress, info->egress_ifindex, &egress);
	else
		egress = listen;
	if (carries) {
		judge_egress(health, condition, &egress);
		judge_next_hops(health, condition);
	}
	health_judge_losses(health, watch, condition);
	judge_control(health, instance, condition, said, daemon);
}

void health_judge(struct health *health, struct health_watch *watch, const char *instance,
		  const struct datapath_condition *condition, pid_t daemon,
		  const struct instance_reloads *said)
{
	struct instance_reloads read = {.ended = 1};

	memset(health, 0, sizeof(*health));
	if (daemon && !said)
		instance_read_reloads(instance, &read);
	if (!said)
		said = &read;
	judge_attachment(health, instance, condition, said, daemon);
	if (condition->state != DATAPATH_ABSENT)
		judge_datapath(health, watch, instance, condition, said, daemon);
	if (*said->unserved)
		health_add(health, "HTTP is not served, which is tried again every second: %s",
			   said->unserved);
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

bool health_same_reasons(const struct health *a, const struct health *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (!same_reason(a->reasons[i], b->reasons[i]))
			return false;
	}
	return a->count == b->count;
}
