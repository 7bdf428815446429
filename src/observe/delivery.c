// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "observe/delivery.h"
#include "datapath/names.h"
#include "net/rtnl.h"
#include "observe/loss.h"

#define BAD_PART      2     /* one packet in so many, and the appliance does not do its job */
#define BAD_PACKETS   2     /* a single packet says nothing of the others */
#define DEGRADED_PART 100   /* a verdict that takes one packet in so many, or more, is a reason */
#define FAILING_PART  100   /* more than one packet lost in so many is more than a burst */
#define LEAKING_PART  10000 /* and one in so many, LEAKING_FOR readings in a row */
#define LEAKING_FOR   3
#define IDLE_HOLD     2 /* readings without traffic, which say nothing, that a reason outlasts */
#define SKEW_PART     4 /* two counters read one after the other may differ by so much of one */

/* What the datapath counted between two readings. */
struct growth {
	bool known; /* false: there was no reading before, or the counters began anew */
	struct counters counters;
	uint64_t passed_dropped; /* by the kernel, after they were passed to it */
};

static struct growth growth_between(const struct health_watch *watch,
				    const struct datapath_condition *condition)
{
	const struct counters *now = &condition->counters, *before = &watch->counters;
	uint64_t now_dropped = condition->losses.of[LOSS_PASSED].packets;
	struct growth growth = {.known = watch->seen};

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		growth.known &= now->verdict[v].packets >= before->verdict[v].packets;
		growth.counters.verdict[v].packets =
			now->verdict[v].packets - before->verdict[v].packets;
	}
	for (enum event e = 0; e < EVENT_COUNT; e++) {
		growth.known &= now->event[e] >= before->event[e];
		growth.counters.event[e] = now->event[e] - before->event[e];
	}
	growth.known &= now_dropped >= watch->passed_dropped;
	growth.passed_dropped = now_dropped - watch->passed_dropped;
	return growth;
}

static uint64_t grown(const struct growth *growth, enum verdict verdict)
{
	return growth->counters.verdict[verdict].packets;
}

/* ---- Next hops ---- */

static const struct health_target *delivery_find_target(const struct health_watch *watch,
							const struct ip_address *address)
{
	for (size_t i = 0; i < watch->target_count; i++) {
		if (memcmp(&watch->targets[i].address, address, sizeof(*address)) == 0)
			return &watch->targets[i];
	}
	return NULL;
}

/*
 * Does the kernel, which the datapath asks for each packet, know the way that the daemon does not
 * know? Packets that came, and did not end as no_route, prove it: the daemon may have failed to ask.
 */
static bool target_arrives(const struct health_watch *watch, const struct datapath_unresolved *hop,
			   const struct growth *growth)
{
	const struct health_target *before = delivery_find_target(watch, &hop->target);

	if (hop->failed || !before)
		return false;
	if (!growth->known || hop->packets <= before->packets)
		return before->arrives;
	return grown(growth, VERDICT_NO_ROUTE) * BAD_PART < hop->packets - before->packets;
}

/* Returns the number of targets that packets arrive at all the same. */
static size_t delivery_note_targets(struct health_watch *watch,
				    const struct datapath_condition *condition,
				    const struct growth *growth)
{
	struct health_target fresh[DATAPATH_UNRESOLVED_SHOWN];
	size_t count = condition->unresolved_count, arriving = 0;

	memset(fresh, 0, sizeof(fresh));
	for (size_t i = 0; i < count; i++) {
		const struct datapath_unresolved *hop = &condition->unresolved[i];

		fresh[i].address = hop->target;
		fresh[i].packets = hop->packets;
		fresh[i].arrives = target_arrives(watch, hop, growth);
		arriving += fresh[i].arrives;
	}
	memcpy(watch->targets, fresh, sizeof(fresh));
	watch->target_count = count;
	return arriving;
}

/* Why a next hop is not known, as the kernel's tables are now. `rtnl` NULL: they cannot be asked. */
static void judge_next_hop(struct health *health, enum health_severity severity,
			   const struct datapath_unresolved *hop, const struct instance_info *info,
			   struct netlink *rtnl)
{
	const char *consequence =
		hop->failed ? "does not answer; packets for it are dropped" : "is not resolved yet";
	char target[ADDR_TEXT_SIZE], next[ADDR_TEXT_SIZE] = "";
	const char *comma = *hop->name ? ", " : "";
	struct rtnl_route route = {.type = RTNL_UNICAST};
	bool known = rtnl && !rtnl_get_route(rtnl, &hop->target, (int)info->egress_ifindex, &route);

	ip_address_format(&hop->target, target);
	if (known && route.type == RTNL_UNICAST)
		ip_address_format(&route.next_hop, next);
	if (route.type == RTNL_NO_ROUTE)
		health_add(health, severity,
			   "%s (rule %" PRIu32 "%s%s): no route leads there out of %s", target,
			   hop->rule, comma, hop->name, info->egress);
	else
		health_add(health, severity, "%s (rule %" PRIu32 "%s%s): its next hop%s%s on %s %s",
			   target, hop->rule, comma, hop->name, *next ? " " : "", next,
			   info->egress, consequence);
}

/* `arriving`: of the targets shown, those that packets arrive at. */
static void delivery_judge_next_hops(struct health *health, const struct health_watch *watch,
				     const struct datapath_condition *condition, size_t arriving)
{
	const size_t *hops = condition->next_hops;
	size_t silent = hops[NEXT_HOP_UNKNOWN] + hops[NEXT_HOP_FAILED];
	/* where some arrive, those that are not shown may, too */
	bool any_serves = hops[NEXT_HOP_RESOLVED] || hops[NEXT_HOP_LOCAL] || arriving;
	enum health_severity severity = any_serves ? HEALTH_DEGRADED : HEALTH_BAD;
	size_t failed_shown = 0, more;
	struct netlink *rtnl;

	if (!condition->unresolved_count || rtnl_open(&rtnl))
		rtnl = NULL;
	for (size_t i = 0; i < condition->unresolved_count; i++) {
		failed_shown += condition->unresolved[i].failed;
		if (!watch->targets[i].arrives)
			judge_next_hop(health, severity, &condition->unresolved[i],
				       &condition->info, rtnl);
	}
	netlink_close(rtnl);
	more = arriving ? hops[NEXT_HOP_FAILED] - failed_shown
			: silent - condition->unresolved_count;
	if (more && condition->unresolved_count)
		health_add(health, severity, "%zu next hops more are not resolved", more);
}

/* ---- Verdicts ---- */

/*
 * Packets that ended as no_route for a reason that has been told: their target's next hop. Those of a
 * reading in which targets began to fail, or ceased to, cannot be told apart.
 */
static uint64_t count_explained(const struct health_watch *watch, bool has_failing,
				uint64_t failing_packets, bool counted, const struct growth *growth)
{
	uint64_t no_route = grown(growth, VERDICT_NO_ROUTE), packets;

	if (!has_failing && !watch->has_failing)
		return 0;
	if (!has_failing || !watch->has_failing || !counted ||
	    failing_packets < watch->failing_packets)
		return no_route;
	packets = failing_packets - watch->failing_packets;
	packets += packets / SKEW_PART;
	return packets < no_route ? packets : no_route;
}

static void share_add(struct health_share *share, uint64_t taken, uint64_t of)
{
	if (!of) {
		if (share->quiet++ >= IDLE_HOLD)
			memset(share, 0, sizeof(*share));
		return;
	}
	/* none of so many that a share like the last one would have shown: it is over */
	if (!taken && (double)share->last_taken * (double)of >= (double)share->last_of)
		share->last_of = share->last_taken = 0;
	share->taken = share->last_taken + taken;
	share->of = share->last_of + of;
	share->last_taken = taken;
	share->last_of = of;
	share->quiet = 0;
}

static enum health_severity share_severity(uint64_t taken, uint64_t of)
{
	if (taken >= BAD_PACKETS && taken * BAD_PART >= of)
		return HEALTH_BAD;
	return taken && taken * DEGRADED_PART >= of ? HEALTH_DEGRADED : HEALTH_GOOD;
}

/*
 * Passed packets that the kernel dropped, but for those cut short by the mirror: it routes none of
 * them, and `inner.truncated: pass` asks for that.
 */
static uint64_t count_dropped(const struct datapath_condition *condition,
			      const struct growth *growth)
{
	uint64_t wanted = condition->truncated == FALLBACK_PASS
				  ? growth->counters.event[EVENT_INNER_TRUNCATED]
				  : 0;

	return growth->passed_dropped > wanted ? growth->passed_dropped - wanted : 0;
}

/*
 * Which share of the packets that should leave do verdicts take that neither the configuration asks
 * for nor a target's own reason explains?
 */
static void delivery_add_shares(struct health_watch *watch,
				const struct datapath_condition *condition,
				const struct growth *growth, uint64_t explained)
{
	bool oversize_is_wanted = condition->oversize == OVERSIZE_DROP;
	uint64_t oversize = oversize_is_wanted ? 0 : grown(growth, VERDICT_OVERSIZE);
	uint64_t no_route = grown(growth, VERDICT_NO_ROUTE) - explained;
	uint64_t dropped = count_dropped(condition, growth);
	uint64_t judged = grown(growth, VERDICT_ERROR) + no_route + oversize;

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		if (verdict_class(v) == VERDICT_CLASS_FORWARDED)
			judged += grown(growth, v);
	}
	if (no_route)
		watch->neighbours_unknown =
			growth->counters.event[EVENT_NEIGHBOUR_UNKNOWN] * BAD_PART >
			grown(growth, VERDICT_NO_ROUTE);
	share_add(&watch->error, grown(growth, VERDICT_ERROR), judged);
	share_add(&watch->no_route, no_route, judged);
	share_add(&watch->oversize, oversize, judged);
	/* the kernel may drop what it got some readings ago */
	share_add(&watch->passed, dropped, judged > dropped ? judged : dropped);
}

/* `why` says how it comes about, and what mends it. */
static void judge_share(struct health *health, const struct health_share *share,
			enum verdict verdict, const char *why)
{
	enum health_severity severity = share_severity(share->taken, share->of);

	if (severity != HEALTH_GOOD)
		health_add(health, severity, "%" PRIu64 " of %" PRIu64 " packets ended as %s: %s",
			   share->taken, share->of, verdict_name(verdict), why);
}

static void judge_shares(struct health *health, const struct health_watch *watch,
			 const struct datapath_condition *condition)
{
	const char *egress = condition->info.egress;
	char why[HEALTH_REASON_SIZE];

	snprintf(why, sizeof(why),
		 "the program itself failed, or lost its way out of %s; a reload loads it anew",
		 egress);
	judge_share(health, &watch->error, VERDICT_ERROR, why);
	if (watch->neighbours_unknown)
		snprintf(why, sizeof(why),
			 "their next hop on %s does not answer; ip neigh show dev %s", egress,
			 egress);
	else
		snprintf(why, sizeof(why),
			 "no route leads to their destination out of %s; ip route show dev %s",
			 egress, egress);
	judge_share(health, &watch->no_route, VERDICT_NO_ROUTE, why);
	snprintf(why, sizeof(why),
		 "they may not be fragmented, or cannot be here, and are larger than forward.mtu "
		 "(%" PRIu32 " bytes) or than their path takes; vxlan-pipeline check says which; "
		 "if that is meant to be: forward.oversize: drop",
		 condition->mtu);
	judge_share(health, &watch->oversize, VERDICT_OVERSIZE, why);
	judge_share(health, &watch->passed, VERDICT_PASSED,
		    "the kernel dropped them; vxlan-pipeline check says what it needs");
}

static void judge_verdicts(struct health *health, struct health_watch *watch,
			   const struct datapath_condition *condition, const struct growth *growth)
{
	uint64_t failing_packets = condition->unresolved_packets;
	bool has_failing =
		condition->next_hops[NEXT_HOP_UNKNOWN] || condition->next_hops[NEXT_HOP_FAILED];
	uint64_t explained;

	for (size_t i = 0; i < watch->target_count; i++) {
		if (watch->targets[i].arrives)
			failing_packets -= watch->targets[i].packets;
	}
	explained = count_explained(watch, has_failing, failing_packets,
				    condition->unresolved_counted, growth);
	watch->has_failing = has_failing;
	watch->failing_packets = failing_packets;
	if (!growth->known)
		watch->error = watch->no_route = watch->oversize = watch->passed =
			(struct health_share){0};
	else
		delivery_add_shares(watch, condition, growth, explained);
	judge_shares(health, watch, condition);
}

/* ---- Losses ---- */

static uint64_t count_sent(const struct growth *growth)
{
	return grown(growth, VERDICT_REDIRECTED) + grown(growth, VERDICT_TRANSMITTED) +
	       grown(growth, VERDICT_FRAGMENTED);
}

/*
 * Packets of one kind that were believed sent, since the reading before. True if they are a reason,
 * which outlasts IDLE_HOLD readings without traffic: those prove nothing.
 */
static bool is_losing(struct health_watch *watch, enum loss kind, uint64_t lost,
		      const struct growth *growth)
{
	uint64_t fresh = lost - watch->kinds[kind].lost, of = count_sent(growth);
	bool known = growth->known && lost >= watch->kinds[kind].lost;

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

static void delivery_judge_losses(struct health *health, struct health_watch *watch,
				  const struct datapath_condition *condition,
				  const struct growth *growth)
{
	for (enum loss kind = 0; kind < LOSS_COUNT; kind++) {
		int error = condition->losses.of[kind].error;
		enum health_severity severity;

		/* not lost on the way out: judge_shares() tells of these */
		if (loss_place_of(kind) != LOSS_PLACE_TRANSMIT)
			continue;
		if (!is_losing(watch, kind, condition->losses.of[kind].packets, growth))
			continue;
		severity = share_severity(watch->kinds[kind].fresh, watch->kinds[kind].of);
		health_add(health, severity == HEALTH_BAD ? HEALTH_BAD : HEALTH_DEGRADED,
			   "%" PRIu64 " of %" PRIu64 " packets were %s: %s",
			   watch->kinds[kind].fresh, watch->kinds[kind].of, loss_meaning(kind),
			   error ? strerror(-error) : "no reason given");
	}
}

void delivery_judge(struct health *health, struct health_watch *watch,
		    const struct datapath_condition *condition, bool carries)
{
	const struct growth growth = growth_between(watch, condition);
	size_t arriving = delivery_note_targets(watch, condition, &growth);

	if (carries)
		delivery_judge_next_hops(health, watch, condition, arriving);
	judge_verdicts(health, watch, condition, &growth);
	delivery_judge_losses(health, watch, condition, &growth);
	watch->counters = condition->counters;
	watch->passed_dropped = condition->losses.of[LOSS_PASSED].packets;
	watch->seen = true;
}
