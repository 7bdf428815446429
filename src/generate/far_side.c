// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel knows of the way to the far side, asked over rtnetlink. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "generate/far_side.h"

#define BUFFER_SIZE  32768 /* a link with all its attributes fits */
#define DISCARD_PORT 9
#define TRIES        50
#define TRY_NS       20000000L

/* Requests that are answered by one message. */
struct request {
	char buffer[BUFFER_SIZE];
	struct nlmsghdr *header;
};

static void *begin(struct request *request, uint16_t type, size_t size)
{
	request->header = mnl_nlmsg_put_header(request->buffer);
	request->header->nlmsg_type = type;
	request->header->nlmsg_flags = NLM_F_REQUEST;
	request->header->nlmsg_seq = 1;
	return mnl_nlmsg_put_extra_header(request->header, size);
}

/* Hands the answer to `callback`; 0 or -errno. */
static int ask(struct request *request, mnl_cb_t callback, void *data)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	ssize_t length;
	int err = 0;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request->header, request->header->nlmsg_len) < 0 ||
	    (length = mnl_socket_recvfrom(socket, request->buffer, BUFFER_SIZE)) < 0 ||
	    mnl_cb_run(request->buffer, length, 1, mnl_socket_get_portid(socket), callback, data) <
		    0)
		err = -errno;
	mnl_socket_close(socket);
	return err;
}

struct link {
	uint64_t transmitted;
	uint32_t peer; /* ifindex; 0: no peer is known */
	uint32_t peer_namespace;
	bool elsewhere; /* the peer is in peer_namespace */
	uint8_t mac[6];
};

static int take_link(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute;
	struct link *link = data;
	const void *value;
	struct rtnl_link_stats64 stats;

	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
	{
		uint16_t size = mnl_attr_get_payload_len(attribute);

		value = mnl_attr_get_payload(attribute);
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_STATS64:
			memset(&stats, 0, sizeof(stats));
			memcpy(&stats, value, size < sizeof(stats) ? size : sizeof(stats));
			link->transmitted = stats.tx_packets;
			break;
		case IFLA_LINK:
			link->peer = mnl_attr_get_u32(attribute);
			break;
		case IFLA_LINK_NETNSID:
			link->peer_namespace = mnl_attr_get_u32(attribute);
			link->elsewhere = true;
			break;
		case IFLA_ADDRESS:
			if (size == sizeof(link->mac))
				memcpy(link->mac, value, size);
			break;
		}
	}
	return MNL_CB_OK;
}

/* `beside`: the namespace is the one that this link names for its peer; NULL: the own one. */
static int read_link(uint32_t ifindex, const struct link *beside, struct link *link)
{
	struct request request;
	struct ifinfomsg *message = begin(&request, RTM_GETLINK, sizeof(*message));

	message->ifi_index = ifindex;
	if (beside && beside->elsewhere)
		mnl_attr_put_u32(request.header, IFLA_TARGET_NETNSID, beside->peer_namespace);
	memset(link, 0, sizeof(*link));
	return ask(&request, take_link, link);
}

int generator_count_transmitted(int ifindex, uint64_t *packets)
{
	struct link link;
	int err = read_link(ifindex, NULL, &link);

	if (!err)
		*packets = link.transmitted;
	return err;
}

int generator_find_peer(int ifindex, uint8_t mac[6])
{
	struct link link, peer;
	int err = read_link(ifindex, NULL, &link);

	if (!err && !link.peer)
		err = -ENODEV;
	if (!err)
		err = read_link(link.peer, &link, &peer);
	if (!err)
		memcpy(mac, peer.mac, sizeof(peer.mac));
	return err;
}

static int take_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct generator_route *route = data;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		if (mnl_attr_get_type(attribute) == RTA_PREFSRC)
			route->source = ntohl(mnl_attr_get_u32(attribute));
		else if (mnl_attr_get_type(attribute) == RTA_GATEWAY)
			route->next_hop = ntohl(mnl_attr_get_u32(attribute));
	}
	route->usable = header->rtm_type == RTN_UNICAST;
	return MNL_CB_OK;
}

int generator_find_route(int ifindex, uint32_t destination, struct generator_route *route)
{
	struct request request;
	struct rtmsg *message = begin(&request, RTM_GETROUTE, sizeof(*message));
	struct generator_route found = {.next_hop = destination};
	int err;

	message->rtm_family = AF_INET;
	message->rtm_dst_len = 32;
	mnl_attr_put_u32(request.header, RTA_DST, htonl(destination));
	mnl_attr_put_u32(request.header, RTA_OIF, ifindex);
	err = ask(&request, take_route, &found);
	if (!err && !found.usable)
		err = -ENETUNREACH;
	if (!err)
		*route = found;
	return err;
}

struct neighbour {
	bool valid;
	uint8_t mac[6];
};

static int take_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct neighbour *neighbour = data;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(*header))
	{
		if (mnl_attr_get_type(attribute) != NDA_LLADDR ||
		    mnl_attr_get_payload_len(attribute) != sizeof(neighbour->mac))
			continue;
		memcpy(neighbour->mac, mnl_attr_get_payload(attribute), sizeof(neighbour->mac));
		neighbour->valid = header->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY |
							NUD_PROBE | NUD_PERMANENT | NUD_NOARP);
	}
	return MNL_CB_OK;
}

static bool read_neighbour(int ifindex, uint32_t address, struct neighbour *neighbour)
{
	struct request request;
	struct ndmsg *message = begin(&request, RTM_GETNEIGH, sizeof(*message));

	message->ndm_family = AF_INET;
	message->ndm_ifindex = ifindex;
	mnl_attr_put_u32(request.header, NDA_DST, htonl(address));
	memset(neighbour, 0, sizeof(*neighbour));
	return ask(&request, take_neighbour, neighbour) == 0 && neighbour->valid;
}

/* An empty datagram to the discard service makes the kernel ask for the MAC. */
static int provoke_resolution(const char *interface, uint32_t destination)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(DISCARD_PORT),
		.sin_addr.s_addr = htonl(destination),
	};

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, strlen(interface)) ||
	    sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

int generator_find_neighbour(const char *interface, int ifindex, uint32_t address, uint8_t mac[6])
{
	const struct timespec pause = {.tv_nsec = TRY_NS};
	struct neighbour neighbour;
	int err;

	if (!read_neighbour(ifindex, address, &neighbour)) {
		err = provoke_resolution(interface, address);
		if (err)
			return err;
		for (int i = 0; i < TRIES && !read_neighbour(ifindex, address, &neighbour); i++)
			nanosleep(&pause, NULL);
	}
	if (!neighbour.valid)
		return -EHOSTUNREACH;
	memcpy(mac, neighbour.mac, sizeof(neighbour.mac));
	return 0;
}
