// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a configuration fits this host's network: the address to serve on, routes to the targets of
 * rules, silence, and the VNIs of packets that arrived.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "datapath/datapath.h"
#include "host/internal.h"
#include "net/listen.h"
#include "net/netdev.h"
#include "net/nftables.h"
#include "net/rtnl.h"
#include "net/silence.h"
#include "instance/daemon.h"

static enum answer http_free(struct host *host, const char *instance)
{
	struct port_holder holder = {0};
	struct error ignored;
	struct instance_daemon daemon;
	int err, found = instance_find_daemon(instance, &daemon, &ignored);

	if (!*host->http_listen || !found)
		return ANSWER_YES;
	err = listen_try(host->http_listen);
	/* this instance's own daemon may use it, which only root can see */
	if (err != -EADDRINUSE || found == -EACCES)
		return err ? ANSWER_UNKNOWN : ANSWER_YES;
	listen_explain(host->http_listen, err, &holder, host->http_taken, sizeof(host->http_taken));
	return ANSWER_NO;
}

static void host_note_target(struct host_targets *targets, size_t rule,
			     const struct ip_address *target)
{
	if (targets->rules++)
		return;
	targets->rule = (int64_t)rule;
	ip_address_format(target, targets->target);
}

/*
 * Looks at one rule after the other. Rules of one target often stand together: asks once for them.
 */
static void host_find_targets(struct host *host, const struct config *config,
			      struct netlink *netlink, int ifindex)
{
	bool asks = config->forward.next_hop == NEXT_HOP_ROUTE;
	const struct ip_address *known = NULL;
	struct rtnl_route route;

	host->local.rules = 0;
	if (asks)
		host->unrouted.rules = 0;
	for (size_t i = 0; i < config->rule_count; i++) {
		const struct ip_address *target = &config->rules[i].to.address;

		if ((!known || memcmp(known, target, sizeof(*target)) != 0) &&
		    rtnl_get_route(netlink, target, ifindex, &route)) {
			host->local.rules = host->unrouted.rules = HOST_UNKNOWN;
			return;
		}
		known = target;
		if (route.type == RTNL_LOCAL)
			host_note_target(&host->local, i + 1, target);
		if (asks && route.type == RTNL_NO_ROUTE)
			host_note_target(&host->unrouted, i + 1, target);
	}
}

/* Has the kernel nftables, and if the instance is attached, is its silence in place? */
static void read_silence(struct host *host, const struct config *config, const char *instance)
{
	struct silence silence = {.port = config->listen.port};
	struct instance_info info;
	struct counters counters;
	struct error ignored;
	int err = nftables_probe();

	host->nftables = err == -EOPNOTSUPP ? ANSWER_NO : err ? ANSWER_UNKNOWN : ANSWER_YES;
	if (err)
		return;
	err = datapath_read_counters(instance, &counters, &info, &ignored);
	if (err && err != -ENOENT)
		host->nftables = ANSWER_UNKNOWN;
	if (err || !info.pass_mark)
		return;
	silence.mark = info.pass_mark;
	datapath_pass_mac(silence.mark, silence.mac);
	snprintf(silence.interface, sizeof(silence.interface), "%s", info.listen);
	err = silence_read(instance, &silence, NULL, &ignored);
	host->silenced = !err ? ANSWER_YES : err == -ENOENT ? ANSWER_NO : ANSWER_UNKNOWN;
	if (host->silenced == ANSWER_UNKNOWN)
		host->nftables = ANSWER_UNKNOWN;
}

/* Policies that packets pass by, as XDP asks none. */
static void host_find_bypass(struct host *host, const struct config *config)
{
	struct bypass bypass;
	int found = bypass_find(&bypass, config, &(struct progress){0});

	if (found < 0)
		return;
	host->ipsec_rules = (int64_t)bypass.rules;
	if (!found)
		return;
	host->ipsec_rule = (int64_t)bypass.rule;
	host->ipsec_priority = bypass.priority;
	memcpy(host->ipsec_target, bypass.target, sizeof(host->ipsec_target));
	memcpy(host->ipsec_policy, bypass.policy, sizeof(host->ipsec_policy));
	memcpy(host->ipsec_demand, bypass.demand, sizeof(host->ipsec_demand));
	memcpy(host->ipsec_direction, bypass.direction, sizeof(host->ipsec_direction));
}

/* Verdicts are in the order of the stages: packets with one after unknown_vni had a listed VNI. */
static void count_vnis(struct host *host, const char *instance)
{
	struct counters counters;
	struct instance_info info;
	struct error ignored;

	if (datapath_read_counters(instance, &counters, &info, &ignored))
		return;
	host->unlisted_vni = (int64_t)counters.verdict[VERDICT_UNKNOWN_VNI].packets;
	host->listed_vni = (int64_t)counters.event[EVENT_INNER_MALFORMED];
	for (int verdict = VERDICT_UNKNOWN_VNI + 1; verdict < VERDICT_COUNT; verdict++)
		host->listed_vni += (int64_t)counters.verdict[verdict].packets;
}

void host_read_reach(struct host *host, const struct config *config, const char *instance)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	struct netdev egress;
	struct error ignored;

	snprintf(host->http_listen, sizeof(host->http_listen), "%s", config->http.listen);
	host->http_free = http_free(host, instance);
	count_vnis(host, instance);
	read_silence(host, config, instance);
	host_find_bypass(host, config);
	/* there are no routes out of an interface that is down */
	if (netdev_get(config->forward.interface, &egress, &ignored) == 0 && egress.up &&
	    rtnl_open(&netlink) == 0)
		host_find_targets(host, config, netlink, egress.ifindex);
}
