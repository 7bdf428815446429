// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "net/rtnl_stats.h"

struct answer {
	struct rtnl_link_stats64 *stats;
	bool found;
};

static int take_link(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute;
	struct answer *answer = data;

	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
	{
		size_t size = mnl_attr_get_payload_len(attribute);

		if (mnl_attr_get_type(attribute) != IFLA_STATS64)
			continue;
		/* kernels add fields at the end */
		if (size > sizeof(*answer->stats))
			size = sizeof(*answer->stats);
		memcpy(answer->stats, mnl_attr_get_payload(attribute), size);
		answer->found = true;
	}
	return MNL_CB_STOP;
}

static int ask(struct mnl_socket *socket, const char *interface, struct answer *answer)
{
	char buffer[32768] = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	unsigned int sequence = 1;
	ssize_t length;

	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST;
	request->nlmsg_seq = sequence;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, interface);
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (length < 0 || mnl_cb_run(buffer, length, sequence, mnl_socket_get_portid(socket),
				     take_link, answer) < 0)
		return -errno;
	return answer->found ? 0 : -ENODATA;
}

int rtnl_read_stats(const char *interface, struct rtnl_link_stats64 *stats)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct answer answer = {.stats = stats};
	int err;

	if (!socket)
		return -errno;
	memset(stats, 0, sizeof(*stats));
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno
								 : ask(socket, interface, &answer);
	mnl_socket_close(socket);
	return err;
}
