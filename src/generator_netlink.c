// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

#include "generator_internal.h"

#define BUFFER_SIZE 32768 /* a link with all its attributes fits */

/* Sends the request in `buffer` and hands the answer to `callback`; 0 or -errno. */
static int ask(char *buffer, mnl_cb_t callback, void *data)
{
	struct nlmsghdr *request = (struct nlmsghdr *)buffer;
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	unsigned int sequence = request->nlmsg_seq = time(NULL);
	int err = 0, got = MNL_CB_OK;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		err = -errno;
	while (!err && got > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(socket, buffer, BUFFER_SIZE);

		got = length < 0 ? -1
				 : mnl_cb_run(buffer, length, sequence,
					      mnl_socket_get_portid(socket), callback, data);
		if (got < 0)
			err = -errno;
		if (!(request->nlmsg_flags & NLM_F_MULTI))
			break;
	}
	mnl_socket_close(socket);
	return err;
}

static int take_counters(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute;
	struct rtnl_link_stats64 stats;

	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attribute) != IFLA_STATS64)
			continue;
		memset(&stats, 0, sizeof(stats));
		memcpy(&stats, mnl_attr_get_payload(attribute),
		       mnl_attr_get_payload_len(attribute) < sizeof(stats)
			       ? mnl_attr_get_payload_len(attribute)
			       : sizeof(stats));
		*(uint64_t *)data = stats.tx_packets;
	}
	return MNL_CB_OK;
}

int generator_count_transmitted(int ifindex, uint64_t *packets)
{
	char buffer[BUFFER_SIZE];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;

	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST;
	link = mnl_nlmsg_put_extra_header(request, sizeof(*link));
	link->ifi_index = ifindex;
	return ask(buffer, take_counters, packets);
}
