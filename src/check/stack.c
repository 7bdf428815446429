// SPDX-License-Identifier: GPL-2.0-only
/* The checks of what the kernel's stack is asked, and of what it gets: forwarding, routes, filters. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "host/traffic.h"

/* By the interface: settings for all would change what other interfaces do. */
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

/* Facts may have been written down for another configuration. */
static bool is_target(const struct config *config, int64_t rule, const char *address)
{
	char text[ADDR_TEXT_SIZE];

	return rule >= 1 && (uint64_t)rule <= config->rule_count &&
	       strcmp(ip_address_format(&config->rules[rule - 1].to.address, text), address) == 0;
}

void check_targets(const struct check *check)
{
	const struct host *host = check->host;
	int64_t more = host->unrouted - 1;
	char others[48] = "";

	if (check->config->forward.next_hop != NEXT_HOP_ROUTE) {
		check_find(check, FINDING_OK, "forward.next_hop needs no routes");
		return;
	}
	if (host->unrouted == HOST_UNKNOWN)
		check_find(check, FINDING_OK, "not known: routes were not looked at%s%s",
			   host->forward.up == ANSWER_NO ? ", there are none while it is down: "
							 : "",
			   host->forward.up == ANSWER_NO ? host->forward.name : "");
	if (host->unrouted <= 0)
		return;
	if (!is_target(check->config, host->unrouted_rule, host->unrouted_target)) {
		check_find(check, FINDING_OK, "not known: routes were looked at for other rules");
		return;
	}
	if (more)
		snprintf(others, sizeof(others), ", nor for %" PRId64 " rule%s more", more,
			 more == 1 ? "" : "s");
	check_fix(check_find(check, FINDING_WARN,
			     "no route leads to %s (rule %" PRId64 ") out of %s%s; give it one: ip "
			     "route add %s via GATEWAY dev %s",
			     host->unrouted_target, host->unrouted_rule, host->forward.name, others,
			     host->unrouted_target, check->forward_word),
		  "ip%s route show dev %s", strchr(host->unrouted_target, ':') ? " -6" : "",
		  check->forward_word);
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
