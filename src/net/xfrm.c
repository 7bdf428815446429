// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include "base/cleanup.h"
#include "net/xfrm.h"

#define READ_TRIES 5 /* while policies change */

/* false: of no IP version, or longer than an address. */
static bool xfrm_parse_prefix(uint16_t family, const xfrm_address_t *address, uint8_t length,
			      struct ip_prefix *prefix)
{
	struct ip_address found = {.version = family == AF_INET ? 4 : 6};

	if ((family != AF_INET && family != AF_INET6) || length > ip_address_bits(&found))
		return false;
	memcpy(found.bytes, address, ip_address_bits(&found) / 8);
	*prefix = ip_prefix_of(&found, length);
	return true;
}

static bool xfrm_parse_selector(const struct xfrm_selector *selector, struct xfrm_policy *policy)
{
	policy->protocol = selector->proto;
	policy->source_port =
		(struct xfrm_port){ntohs(selector->sport), ntohs(selector->sport_mask)};
	policy->destination_port =
		(struct xfrm_port){ntohs(selector->dport), ntohs(selector->dport_mask)};
	policy->ifindex = selector->ifindex;
	return xfrm_parse_prefix(selector->family, &selector->saddr, selector->prefixlen_s,
				 &policy->source) &&
	       xfrm_parse_prefix(selector->family, &selector->daddr, selector->prefixlen_d,
				 &policy->destination);
}

/* Of several templates the one that protects most: ESP before AH before compression. */
static uint8_t xfrm_parse_templates(const struct nlattr *attribute)
{
	static const uint8_t protocols[] = {IPPROTO_COMP, IPPROTO_AH, IPPROTO_ESP};
	size_t count = mnl_attr_get_payload_len(attribute) / sizeof(struct xfrm_user_tmpl);
	const char *payload = mnl_attr_get_payload(attribute);
	size_t best = 0;
	uint8_t demand = 0;

	for (size_t i = 0; i < count; i++) {
		struct xfrm_user_tmpl template;
		size_t rank = 0;

		memcpy(&template, payload + i * sizeof(template), sizeof(template));
		while (rank < sizeof(protocols) && protocols[rank] != template.id.proto)
			rank++;
		if (demand && (rank == sizeof(protocols) || rank <= best))
			continue;
		demand = template.id.proto;
		best = rank == sizeof(protocols) ? 0 : rank;
	}
	return demand;
}

/*
 * A policy for a mark or for an xfrm interface is foreign: it never matches captured packets, since they
 * have no mark, and forward.interface is no xfrm interface.
 */
static void xfrm_parse_attribute(const struct nlattr *attribute, struct xfrm_message *answer)
{
	struct xfrm_mark mark;
	uint32_t id;

	switch (mnl_attr_get_type(attribute)) {
	case XFRMA_TMPL:
		answer->policy.demands = xfrm_parse_templates(attribute);
		break;
	case XFRMA_MARK:
		if (netlink_get(attribute, &mark, sizeof(mark)) && (mark.v & mark.m))
			answer->foreign = true;
		break;
	case XFRMA_IF_ID:
		if (netlink_get(attribute, &id, sizeof(id)) && id)
			answer->foreign = true;
		break;
	}
}

int xfrm_parse_policy(const struct nlmsghdr *message, void *data)
{
	const struct xfrm_userpolicy_info *info = netlink_header(message, sizeof(*info));
	struct xfrm_message *answer = data;
	const struct nlattr *attribute;

	if (!info)
		return MNL_CB_ERROR;
	answer->policy.direction = info->dir == XFRM_POLICY_OUT ? XFRM_OUT : XFRM_FORWARD;
	answer->policy.priority = info->priority;
	answer->policy.blocks = info->action == XFRM_POLICY_BLOCK;
	/* policies of sockets have further directions */
	answer->foreign = (info->dir != XFRM_POLICY_OUT && info->dir != XFRM_POLICY_FWD) ||
			  !xfrm_parse_selector(&info->sel, &answer->policy);
	mnl_attr_for_each(attribute, message, sizeof(*info))
		xfrm_parse_attribute(attribute, answer);
	if (answer->policy.blocks)
		answer->policy.demands = 0;
	return MNL_CB_STOP;
}

static int xfrm_add_policy(struct xfrm_policies *policies, const struct xfrm_policy *policy)
{
	struct xfrm_policy *list = policies->list;

	/* the list is full at each power of two, and doubles */
	if (!(policies->count & (policies->count - 1))) {
		list = reallocarray(list, policies->count ? policies->count * 2 : 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		policies->list = list;
	}
	list[policies->count] = *policy;
	list[policies->count].listed = policies->count;
	policies->count++;
	return 0;
}

static int xfrm_take_policy(const struct nlmsghdr *message, void *data)
{
	struct xfrm_message answer = {0};
	int err;

	if (xfrm_parse_policy(message, &answer) == MNL_CB_ERROR)
		return MNL_CB_ERROR;
	err = answer.foreign ? 0 : xfrm_add_policy(data, &answer.policy);
	if (!err)
		return MNL_CB_OK;
	errno = -err;
	return MNL_CB_ERROR;
}

static int xfrm_list_policies(struct netlink *netlink, struct xfrm_policies *policies)
{
	union netlink_request request;
	int err = -EINTR;

	for (int tries = 0; err == -EINTR && tries < READ_TRIES; tries++) {
		policies->count = 0;
		netlink_begin(&request, XFRM_MSG_GETPOLICY, NLM_F_DUMP,
			      sizeof(struct xfrm_userpolicy_id));
		err = netlink_ask(netlink, &request, xfrm_take_policy, policies);
	}
	return err;
}

#ifdef XFRM_MSG_GETDEFAULT
static int xfrm_take_default(const struct nlmsghdr *message, void *data)
{
	const struct xfrm_userpolicy_default *answer = netlink_header(message, sizeof(*answer));

	if (!answer)
		return MNL_CB_ERROR;
	memcpy(data, answer, sizeof(*answer));
	return MNL_CB_STOP;
}

/* Linux 5.15 can block packets that match no policy; before, they pass. */
static int xfrm_add_defaults(struct netlink *netlink, struct xfrm_policies *policies)
{
	struct xfrm_policy policy = {.priority = UINT32_MAX, .is_default = true, .blocks = true};
	struct xfrm_userpolicy_default answer = {0};
	union netlink_request request;
	int err;

	netlink_begin(&request, XFRM_MSG_GETDEFAULT, 0, sizeof(answer));
	err = netlink_ask(netlink, &request, xfrm_take_default, &answer);
	if (err)
		return err == -EINVAL ? 0 : err; /* an older kernel does not know the question */
	policy.direction = XFRM_OUT;
	if (answer.out == XFRM_USERPOLICY_BLOCK)
		err = xfrm_add_policy(policies, &policy);
	policy.direction = XFRM_FORWARD;
	if (!err && answer.fwd == XFRM_USERPOLICY_BLOCK)
		err = xfrm_add_policy(policies, &policy);
	return err;
}
#else
static int xfrm_add_defaults(struct netlink *netlink, struct xfrm_policies *policies)
{
	(void)netlink;
	(void)policies;
	return 0;
}
#endif

/* The kernel lists the newest first, and asks the oldest first. */
static int xfrm_compare_policies(const void *left, const void *right)
{
	const struct xfrm_policy *a = left, *b = right;

	if (a->is_default != b->is_default)
		return a->is_default ? 1 : -1;
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return a->listed > b->listed ? -1 : a->listed < b->listed;
}

int xfrm_read_policies(struct xfrm_policies *policies)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	int err;

	memset(policies, 0, sizeof(*policies));
	err = netlink_open(&netlink, NETLINK_XFRM, 0);
	if (err == -EPROTONOSUPPORT)
		return 0;
	if (!err)
		err = xfrm_list_policies(netlink, policies);
	if (!err)
		err = xfrm_add_defaults(netlink, policies);
	if (err)
		xfrm_clear_policies(policies);
	else if (policies->count)
		qsort(policies->list, policies->count, sizeof(*policies->list),
		      xfrm_compare_policies);
	return err;
}

void xfrm_clear_policies(struct xfrm_policies *policies)
{
	free(policies->list);
	memset(policies, 0, sizeof(*policies));
}
