// SPDX-License-Identifier: GPL-2.0-only
/* Which packets a policy matches. */
#include <netinet/in.h>
#include <stdio.h>

#include "net/xfrm.h"

/* Does a policy's selector match all, some or none of the packets of a flow? */
enum xfrm_share { XFRM_NONE, XFRM_SOME, XFRM_ALL };

static enum xfrm_share xfrm_share_less(enum xfrm_share a, enum xfrm_share b)
{
	return a < b ? a : b;
}

static enum xfrm_share xfrm_match_prefix(const struct ip_prefix *selector,
					 const struct ip_prefix *packets)
{
	if (ip_prefix_contains(selector, packets))
		return XFRM_ALL;
	return ip_prefix_contains(packets, selector) ? XFRM_SOME : XFRM_NONE;
}

static enum xfrm_share xfrm_match_port(const struct xfrm_port *selector, uint16_t port)
{
	if (!selector->mask)
		return XFRM_ALL;
	if (!port)
		return XFRM_SOME;
	return (selector->value ^ port) & selector->mask ? XFRM_NONE : XFRM_ALL;
}

static enum xfrm_share xfrm_match_protocol(uint8_t selector, const struct xfrm_flow *flow)
{
	if (!selector)
		return XFRM_ALL;
	if (flow->any_protocol)
		return XFRM_SOME;
	if (flow->protocol)
		return selector == flow->protocol ? XFRM_ALL : XFRM_NONE;
	return selector == IPPROTO_UDP || selector == IPPROTO_TCP ? XFRM_SOME : XFRM_NONE;
}

static enum xfrm_share xfrm_match_flow(const struct xfrm_policy *policy,
				       const struct xfrm_flow *flow)
{
	int ifindex = policy->direction == XFRM_OUT ? flow->egress_ifindex : flow->listen_ifindex;
	enum xfrm_share share = XFRM_ALL;

	if (policy->is_default)
		return XFRM_ALL;
	if (policy->ifindex && policy->ifindex != ifindex)
		return XFRM_NONE;
	share = xfrm_share_less(share, xfrm_match_prefix(&policy->source, &flow->source));
	share = xfrm_share_less(share, xfrm_match_prefix(&policy->destination, &flow->destination));
	share = xfrm_share_less(share, xfrm_match_protocol(policy->protocol, flow));
	share = xfrm_share_less(share, xfrm_match_port(&policy->source_port, flow->source_port));
	return xfrm_share_less(share,
			       xfrm_match_port(&policy->destination_port, flow->destination_port));
}

const struct xfrm_policy *xfrm_find_policy(const struct xfrm_policies *policies,
					   enum xfrm_direction direction,
					   const struct xfrm_flow *flow)
{
	for (size_t i = 0; i < policies->count; i++) {
		const struct xfrm_policy *policy = &policies->list[i];
		enum xfrm_share share =
			policy->direction == direction ? xfrm_match_flow(policy, flow) : XFRM_NONE;

		if (share != XFRM_NONE && (policy->blocks || policy->demands))
			return policy;
		if (share == XFRM_ALL)
			return NULL;
	}
	return NULL;
}

const char *xfrm_policy_demand(const struct xfrm_policy *policy)
{
	switch (policy->demands) {
	case IPPROTO_ESP:
		return "esp";
	case IPPROTO_AH:
		return "ah";
	case IPPROTO_COMP:
		return "comp";
	default:
		return policy->blocks ? "block" : "ipsec";
	}
}

static size_t xfrm_format_port(const char *key, const struct xfrm_port *port, char *text,
			       size_t size)
{
	if (!port->mask)
		return 0;
	if (port->mask == UINT16_MAX)
		return (size_t)snprintf(text, size, " %s %u", key, port->value);
	return (size_t)snprintf(text, size, " %s %u/%#x", key, port->value, port->mask);
}

const char *xfrm_policy_format(const struct xfrm_policy *policy, char *text)
{
	const char *direction = policy->direction == XFRM_OUT ? "out" : "fwd";
	char source[ADDR_TEXT_SIZE], destination[ADDR_TEXT_SIZE];
	size_t used;

	if (policy->is_default) {
		snprintf(text, XFRM_POLICY_SIZE, "default %s block", direction);
		return text;
	}
	used = (size_t)snprintf(text, XFRM_POLICY_SIZE, "dir %s src %s dst %s", direction,
				ip_prefix_format(&policy->source, source),
				ip_prefix_format(&policy->destination, destination));
	if (policy->protocol)
		used += (size_t)snprintf(text + used, XFRM_POLICY_SIZE - used, " proto %u",
					 policy->protocol);
	used += xfrm_format_port("sport", &policy->source_port, text + used,
				 XFRM_POLICY_SIZE - used);
	used += xfrm_format_port("dport", &policy->destination_port, text + used,
				 XFRM_POLICY_SIZE - used);
	snprintf(text + used, XFRM_POLICY_SIZE - used, " priority %u", policy->priority);
	return text;
}
