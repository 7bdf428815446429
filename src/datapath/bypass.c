// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "datapath/bypass.h"
#include "net/netdev.h"

/* A search for policies of one direction that match packets of rules. */
struct bypass_search {
	const struct config *config;
	const struct xfrm_policies *policies;
	enum xfrm_direction direction;
	struct xfrm_flow flow; /* with the interfaces filled in */
	bool skips4;
	struct bypass *found;
};

static struct ip_prefix prefix_of_any(uint8_t version)
{
	return (struct ip_prefix){.address.version = version};
}

/* Packets as they leave after a rule matched them. */
static void bypass_fill_flow(struct xfrm_flow *flow, const struct nat_rule *rule)
{
	uint8_t version = rule->to.address.version;

	flow->source = rule->source.address.version ? rule->source : prefix_of_any(version);
	flow->destination = ip_prefix_of(&rule->to.address, ip_address_bits(&rule->to.address));
	flow->protocol = 0;
	if (rule->protocol == NAT_PROTOCOL_UDP)
		flow->protocol = IPPROTO_UDP;
	if (rule->protocol == NAT_PROTOCOL_TCP)
		flow->protocol = IPPROTO_TCP;
	flow->any_protocol = false;
	flow->source_port = rule->has_source_port ? rule->source_port : 0;
	flow->destination_port = rule->to.port;
	if (!rule->to.port && rule->has_destination_port)
		flow->destination_port = rule->destination_port;
}

/* Packets that no rule matches: any at all. */
static void bypass_fill_unmatched(struct xfrm_flow *flow, uint8_t version)
{
	flow->source = flow->destination = prefix_of_any(version);
	flow->protocol = 0;
	flow->any_protocol = true;
	flow->source_port = flow->destination_port = 0;
}

/* `number` counts from 1. 0: of packets that no rule matches, and `rule` is NULL. */
static void bypass_ask(struct bypass_search *search, size_t number, const struct nat_rule *rule)
{
	const struct xfrm_policy *policy =
		search->flow.destination.address.version == 4 && search->skips4
			? NULL
			: xfrm_find_policy(search->policies, search->direction, &search->flow);
	struct bypass *found = search->found;

	if (!policy || found->rules++)
		return;
	found->rule = number;
	if (rule) {
		ip_address_format(&rule->to.address, found->target);
		rule_name_add(rule, found->name);
	}
	xfrm_policy_format(policy, found->policy);
	snprintf(found->demand, sizeof(found->demand), "%s", xfrm_policy_demand(policy));
	snprintf(found->direction, sizeof(found->direction), "%s",
		 search->direction == XFRM_OUT ? "out" : "fwd");
	found->priority = policy->ifindex ? 0 : policy->priority;
}

static void bypass_ask_all(struct bypass_search *search, const struct progress *progress)
{
	const struct config *config = search->config;

	for (size_t i = 0; i < config->rule_count; i++) {
		if (i % PROGRESS_EVERY == 0)
			progress_step(progress);
		bypass_fill_flow(&search->flow, &config->rules[i]);
		bypass_ask(search, i + 1, &config->rules[i]);
	}
	for (uint8_t version = 4; version <= 6; version += 2) {
		bypass_fill_unmatched(&search->flow, version);
		if (config->forward.unmatched == FALLBACK_FORWARD && !search->found->rules)
			bypass_ask(search, 0, NULL);
	}
}

bool bypass_find_among(struct bypass *bypass, const struct config *config,
		       const struct xfrm_policies *policies, const struct bypass_way *way,
		       const struct progress *progress)
{
	struct bypass_search search = {
		.config = config,
		.policies = policies,
		.direction = XFRM_OUT,
		.flow = {.listen_ifindex = way->listen_ifindex,
			 .egress_ifindex = way->egress_ifindex},
		.skips4 = way->skips_out4,
		.found = bypass,
	};

	memset(bypass, 0, sizeof(*bypass));
	if (!policies->count)
		return false;
	bypass_ask_all(&search, progress);
	search.direction = XFRM_FORWARD;
	search.skips4 = way->skips_forward4;
	if (!bypass->rules)
		bypass_ask_all(&search, progress);
	return bypass->rules;
}

int bypass_find(struct bypass *bypass, const struct config *config, const struct progress *progress)
{
	const char *listen = config->listen.interface, *egress = config->forward.interface;
	const struct bypass_way way = {
		.listen_ifindex = (int)if_nametoindex(listen),
		.egress_ifindex = (int)if_nametoindex(egress),
		.skips_out4 = netdev_skips_policies(egress),
		.skips_forward4 = netdev_skips_forward_policies(listen),
	};
	struct xfrm_policies policies;
	int err = xfrm_read_policies(&policies);

	if (err)
		return err;
	err = bypass_find_among(bypass, config, &policies, &way, progress);
	xfrm_clear_policies(&policies);
	return err;
}

/* "10.20.0.2 (rule 1, and 2 rules more)" */
static const char *bypass_format_target(const struct bypass *bypass, char *text, size_t size)
{
	unsigned int rule = (unsigned int)bypass->rule, more = (unsigned int)bypass->rules - 1;

	if (!rule)
		snprintf(text, size, "anywhere (packets that no rule matches)");
	else if (!more)
		snprintf(text, size, "%s (rule %u%s)", bypass->target, rule, bypass->name);
	else
		snprintf(text, size, "%s (rule %u%s, and %u rule%s more)", bypass->target, rule,
			 bypass->name, more, more == 1 ? "" : "s");
	return text;
}

const char *bypass_explain(const struct bypass *bypass, char *why)
{
	const char *mend = bypass->priority
				   ? "name another target, or allow them by a policy before it"
				   : "name another target, or remove it";
	char target[ADDR_TEXT_SIZE + RULE_NAME_ADDED + 64];

	bypass_format_target(bypass, target, sizeof(target));
	if (strcmp(bypass->demand, "block") == 0)
		snprintf(why, BYPASS_WHY_SIZE,
			 "an IPsec policy (%s) forbids packets to %s, but XDP asks no policies, "
			 "and they leave; %s",
			 bypass->policy, target, mend);
	else if (strcmp(bypass->direction, "out") == 0)
		snprintf(why, BYPASS_WHY_SIZE,
			 "an IPsec policy (%s) demands %s for packets to %s, but XDP asks no "
			 "policies, and they leave in plaintext; %s",
			 bypass->policy, bypass->demand, target, mend);
	else
		snprintf(why, BYPASS_WHY_SIZE,
			 "an IPsec policy (%s) lets packets on to %s only if they came by %s, but "
			 "XDP asks no policies, and they leave all the same; %s",
			 bypass->policy, target, bypass->demand, mend);
	return why;
}

/* Names the interface, too: the kernel refuses a second policy with the same selector. */
const char *bypass_allow(const struct bypass *bypass, const char *listen, const char *forward,
			 char *command)
{
	bool out = strcmp(bypass->direction, "out") == 0;
	/* of equal priorities the older policy would come first */
	uint32_t priority = bypass->priority == UINT32_MAX ? 1 : bypass->priority - 1;

	if (!bypass->priority)
		snprintf(command, BYPASS_COMMAND_SIZE, "ip xfrm policy list dir %s",
			 bypass->direction);
	else
		snprintf(command, BYPASS_COMMAND_SIZE,
			 "ip xfrm policy add%s%s dev %s dir %s priority %u action allow",
			 *bypass->target ? " dst " : "", bypass->target, out ? forward : listen,
			 bypass->direction, priority);
	return command;
}
