// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "net/rtnl_message.h"

#define NEIGHBOUR_OK (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

int rtnl_family(const struct ip_address *address)
{
	return address->version == 4 ? AF_INET : AF_INET6;
}

void rtnl_put_address(union netlink_request *request, uint16_t type,
		      const struct ip_address *address)
{
	mnl_attr_put(&request->message, type, ip_address_bits(address) / 8, address->bytes);
}

struct ndmsg *rtnl_begin_neighbour(union netlink_request *request, uint16_t type, uint16_t flags,
				   int ifindex, const struct ip_address *address)
{
	struct ndmsg *header = netlink_begin(request, type, flags, sizeof(*header));

	header->ndm_family = rtnl_family(address);
	header->ndm_ifindex = ifindex;
	rtnl_put_address(request, NDA_DST, address);
	return header;
}

/* Reads an address, which fills the attribute behind its first `skip` bytes. */
static void rtnl_parse_address(const struct nlattr *attribute, size_t skip, int family,
			       struct ip_address *address)
{
	size_t size = family == AF_INET ? 4 : 16;

	if ((family != AF_INET && family != AF_INET6) ||
	    mnl_attr_get_payload_len(attribute) != skip + size)
		return;
	memset(address, 0, sizeof(*address));
	address->version = family == AF_INET ? 4 : 6;
	memcpy(address->bytes, (const char *)mnl_attr_get_payload(attribute) + skip, size);
}

/* Reads a gateway of another family than the route's. */
static void rtnl_parse_via(const struct nlattr *attribute, struct ip_address *gateway)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) >= sizeof(*via))
		rtnl_parse_address(attribute, sizeof(*via), via->rtvia_family, gateway);
}

static void rtnl_parse_metrics(const struct nlattr *metrics, uint32_t *mtu)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, metrics)
	{
		if (mnl_attr_get_type(attribute) == RTAX_MTU)
			netlink_get(attribute, mtu, sizeof(*mtu));
	}
}

int rtnl_parse_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *header = netlink_header(message, sizeof(*header));
	struct rtnl_route_message *answer = data;
	struct rtnl_route *route = &answer->route;
	const struct nlattr *attribute;

	if (!header)
		return MNL_CB_ERROR;
	answer->type = header->rtm_type;
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_OIF:
			netlink_get(attribute, &answer->ifindex, sizeof(answer->ifindex));
			break;
		case RTA_GATEWAY:
			rtnl_parse_address(attribute, 0, header->rtm_family, &route->next_hop);
			break;
		case RTA_PREFSRC:
			rtnl_parse_address(attribute, 0, header->rtm_family, &route->source);
			break;
		case RTA_VIA:
			rtnl_parse_via(attribute, &route->next_hop);
			break;
		case RTA_METRICS:
			rtnl_parse_metrics(attribute, &route->mtu);
			break;
		}
	}
	return MNL_CB_STOP;
}

int rtnl_parse_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *header = netlink_header(message, sizeof(*header));
	struct rtnl_neighbour_message *answer = data;
	struct rtnl_neighbour *neighbour = &answer->neighbour;
	const struct nlattr *attribute;
	bool has_mac = false;

	if (!header)
		return MNL_CB_ERROR;
	answer->ifindex = header->ndm_ifindex;
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		if (mnl_attr_get_type(attribute) == NDA_DST)
			rtnl_parse_address(attribute, 0, header->ndm_family, &neighbour->address);
		if (mnl_attr_get_type(attribute) == NDA_LLADDR &&
		    netlink_get(attribute, neighbour->mac, sizeof(neighbour->mac)))
			has_mac = true;
	}
	neighbour->valid =
		has_mac && message->nlmsg_type == RTM_NEWNEIGH && header->ndm_state & NEIGHBOUR_OK;
	neighbour->stale = header->ndm_state & NUD_STALE;
	neighbour->failed = header->ndm_state & NUD_FAILED;
	neighbour->gone = message->nlmsg_type == RTM_DELNEIGH;
	neighbour->lasting = neighbour->valid && header->ndm_state & (NUD_PERMANENT | NUD_NOARP);
	return MNL_CB_STOP;
}

/* Newer kernels add counters at the end, which this program ignores. */
static void rtnl_parse_stats(const struct nlattr *attribute, struct rtnl_link_stats64 *stats)
{
	size_t size = mnl_attr_get_payload_len(attribute);

	memcpy(stats, mnl_attr_get_payload(attribute),
	       size < sizeof(*stats) ? size : sizeof(*stats));
}

static void rtnl_parse_text(const struct nlattr *attribute, char *text, size_t size)
{
	const char *value = mnl_attr_get_payload(attribute);
	size_t length = strnlen(value, mnl_attr_get_payload_len(attribute));

	if (length >= size)
		return;
	memcpy(text, value, length);
	text[length] = '\0';
}

static void rtnl_parse_linkinfo(const struct nlattr *info, struct rtnl_link_message *link)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, info)
	{
		if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
			rtnl_parse_text(attribute, link->kind, sizeof(link->kind));
	}
}

int rtnl_parse_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *header = netlink_header(message, sizeof(*header));
	struct rtnl_link_message *link = data;
	const struct nlattr *attribute;

	if (!header)
		return MNL_CB_ERROR;
	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_IFNAME:
			rtnl_parse_text(attribute, link->name, sizeof(link->name));
			break;
		case IFLA_LINKINFO:
			rtnl_parse_linkinfo(attribute, link);
			break;
		case IFLA_MASTER:
			netlink_get(attribute, &link->master, sizeof(link->master));
			break;
		case IFLA_STATS64:
			rtnl_parse_stats(attribute, &link->stats);
			break;
		case IFLA_LINK:
			netlink_get(attribute, &link->peer, sizeof(link->peer));
			break;
		case IFLA_LINK_NETNSID:
			link->elsewhere = netlink_get(attribute, &link->peer_namespace,
						      sizeof(link->peer_namespace));
			break;
		case IFLA_ADDRESS:
			netlink_get(attribute, link->mac, sizeof(link->mac));
			break;
		}
	}
	return MNL_CB_STOP;
}
