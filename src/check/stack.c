// SPDX-License-Identifier: GPL-2.0-only
/* The checks of what the kernel's stack is asked, and of what it gets: forwarding, routes, filters. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "host/traffic.h"

/* Advises on the interface's own setting: one for all interfaces would change what the others do. */
static void judge_forwarding(const struct check *check, const struct host_link *link, int version,
			     int64_t value, const char *consequence)
{
	if (value == 0)
		check_fix(check_find(check, FINDING_WARN, "IPv%d forwarding is off on %s, so %s",
				     version, link->name, consequence),
			  "sysctl -w net/ipv%d/conf/%s/forwarding=1", version,
			  check_word(check, link));
}

/* Linux forwards IPv6 from every interface or from none, but for those where it is forced to. */
static void judge_forwarding6(const struct check *check, const char *consequence)
{
	const struct host_link *link = &check->host->listen;
	bool can_force = link->force_forwarding6 != HOST_UNKNOWN;
	struct finding *finding;

	if (check->host->forwarding6 != 0 || link->force_forwarding6 == 1)
		return;
	finding = check_find(check, FINDING_WARN, "IPv6 forwarding is off on `all`, so %s%s",
			     consequence,
			     can_force ? ""
				       : "; switched on there, interfaces with accept_ra=1 listen "
					 "to routers no more");
	if (can_force)
		check_fix(finding, "sysctl -w net/ipv6/conf/%s/force_forwarding=1",
			  check->listen_word);
	else
		check_fix(finding, "sysctl -w net.ipv6.conf.all.forwarding=1");
}

void check_forwarding(const struct check *check)
{
	static const char no_route[] =
		"the kernel tells the datapath no next hops: what no rule re-addresses ends as "
		"no_route, and no change of them is noticed while no daemon runs";
	static const char not_passed[] =
		"what is handed to the kernel goes no further than this host";
	const struct host *host = check->host;
	bool asks = check->config->forward.next_hop == NEXT_HOP_ROUTE;

	if (asks && config_may_send(check->config, 4))
		judge_forwarding(check, &host->forward, 4, host->forward.forwarding4, no_route);
	if (traffic_passes_version(check->config, host, 4) && (!check->single_arm || !asks))
		judge_forwarding(check, &host->listen, 4, host->listen.forwarding4, not_passed);
	if (asks && config_may_send(check->config, 6))
		judge_forwarding(check, &host->forward, 6, host->forward.forwarding6, no_route);
	if (traffic_passes_version(check->config, host, 6))
		judge_forwarding6(check, not_passed);
}

/* Are there any, and of these rules? Then `more` is ", JOINT 2 rules more", or empty. */
static bool count_targets(const struct check *check, const struct host_targets *targets,
			  const char *joint, char *more, size_t size)
{
	int64_t others = targets->rules - 1;

	*more = '\0';
	if (targets->rules <= 0)
		return false;
	if (!check_is_target(check->config, targets->rule, targets->target)) {
		check_find(check, FINDING_OK, "not known: routes were looked at for other rules");
		return false;
	}
	if (others)
		snprintf(more, size, ", %s %" PRId64 " rule%s more", joint, others,
			 others == 1 ? "" : "s");
	return true;
}

/* Of a rule that check_is_target() knows. */
static const char *name_of_target(const struct check *check, const struct host_targets *targets,
				  char *text)
{
	return rule_name_add(&check->config->rules[targets->rule - 1], text);
}

static void judge_unrouted(const struct check *check)
{
	const struct host_targets *unrouted = &check->host->unrouted;
	const char *name = check->host->forward.name;
	char more[64], called[RULE_NAME_ADDED];

	if (!count_targets(check, unrouted, "nor for", more, sizeof(more)))
		return;
	check_fix(check_find(check, FINDING_WARN,
			     "no route leads to %s (rule %" PRId64 "%s) out of %s%s; give it one: "
			     "ip route add %s via GATEWAY dev %s",
			     unrouted->target, unrouted->rule,
			     name_of_target(check, unrouted, called), name, more, unrouted->target,
			     check->forward_word),
		  "ip%s route show dev %s", strchr(unrouted->target, ':') ? " -6" : "",
		  check->forward_word);
}

/* The kernel says that the way ends here; or it is not asked. */
static void judge_local(const struct check *check)
{
	const struct host_targets *local = &check->host->local;
	bool asks = check->config->forward.next_hop == NEXT_HOP_ROUTE;
	char more[64], called[RULE_NAME_ADDED];

	if (count_targets(check, local, "and", more, sizeof(more)))
		check_find(check, FINDING_WARN,
			   "%s (rule %" PRId64
			   "%s%s) is an address of this host: packets for it %s "
			   "%s",
			   local->target, local->rule, name_of_target(check, local, called), more,
			   asks ? "are passed to its own stack, and none leaves by"
				: "leave all the same, as forward.next_hop says, by",
			   check->host->forward.name);
}

void check_targets(const struct check *check)
{
	const struct host_link *link = &check->host->forward;

	if (check->config->forward.next_hop != NEXT_HOP_ROUTE)
		check_find(check, FINDING_OK, "forward.next_hop needs no routes");
	else if (check->host->unrouted.rules == HOST_UNKNOWN)
		check_find(check, FINDING_OK, "not known: routes were not looked at%s%s",
			   link->up == ANSWER_NO ? ", there are none while it is down: " : "",
			   link->up == ANSWER_NO ? link->name : "");
	else
		judge_unrouted(check);
	judge_local(check);
}

/* A setting that is to be 0 on `all` and on listen.interface, of which the larger one counts. */
static void judge_zero(const struct check *check, const char *setting, int64_t all, int64_t own,
		       const char *consequence)
{
	const char *name = check->host->listen.name;
	char command[256] = "sysctl -w", where[96];
	size_t used = strlen(command);

	if (!traffic_passes_version(check->config, check->host, 4) || (all <= 0 && own <= 0))
		return;
	if (all > 0)
		used += (size_t)snprintf(command + used, sizeof(command) - used,
					 " net.ipv4.conf.all.%s=0", setting);
	if (own > 0)
		snprintf(command + used, sizeof(command) - used, " net/ipv4/conf/%s/%s=0",
			 check->listen_word, setting);
	if (all > 0 && own > 0)
		snprintf(where, sizeof(where), "%" PRId64 " on `all` and %" PRId64 " on %s", all,
			 own, name);
	else if (all > 0)
		snprintf(where, sizeof(where),
			 "%" PRId64 " on `all`, which counts for each interface", all);
	else
		snprintf(where, sizeof(where), "%" PRId64 " on %s", own, name);
	check_fix(check_find(check, FINDING_WARN, "%s is %s, so %s", setting, where, consequence),
		  "%s", command);
}

void check_rp_filter(const struct check *check)
{
	judge_zero(
		check, "rp_filter", check->host->rp_filter, check->host->listen.rp_filter,
		"what is handed to the kernel is dropped where its source is not reached through "
		"the tunnel's interface");
}

void check_send_redirects(const struct check *check)
{
	judge_zero(check, "send_redirects", check->host->send_redirects,
		   check->host->listen.send_redirects,
		   "the kernel may tell captured senders, production hosts, of a better way");
}
