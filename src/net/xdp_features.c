// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers say that they can do in XDP, asked of the kernel's generic netlink family "netdev"
 * (Linux 6.3; linux/netdev.h, which older systems do not have).
 */
#include <errno.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "host/internal.h"

#define FAMILY_NAME    "netdev"
#define FAMILY_VERSION 1
#define CMD_DEV_GET    1
#define A_DEV_IFINDEX  1
#define A_DEV_FEATURES 3

#define BUFFER_SIZE 16384

struct attribute {
	uint16_t type;
	uint64_t value; /* of whatever width */
	bool found;
};

static int take_attribute(const struct nlmsghdr *message, void *data)
{
	struct attribute *wanted = data;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attribute) != wanted->type)
			continue;
		wanted->found = true;
		if (mnl_attr_get_payload_len(attribute) == sizeof(uint64_t))
			wanted->value = mnl_attr_get_u64(attribute);
		else
			wanted->value = mnl_attr_get_u16(attribute);
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *begin(char *buffer, uint16_t family, uint8_t command, uint8_t version)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *generic;

	header->nlmsg_type = family;
	header->nlmsg_flags = NLM_F_REQUEST;
	header->nlmsg_seq = 1;
	generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
	generic->cmd = command;
	generic->version = version;
	return header;
}

/* Sends the request in `buffer`; 0 and the attribute's value, or -errno. */
static int ask(struct mnl_socket *socket, char *buffer, struct attribute *wanted)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	ssize_t length;

	if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
		return -errno;
	length = mnl_socket_recvfrom(socket, buffer, BUFFER_SIZE);
	if (length < 0 || mnl_cb_run(buffer, length, 1, mnl_socket_get_portid(socket),
				     take_attribute, wanted) < 0)
		return -errno;
	return wanted->found ? 0 : -ENODATA;
}

static int64_t ask_features(struct mnl_socket *socket, int ifindex)
{
	char buffer[BUFFER_SIZE] __attribute__((aligned(8)));
	struct attribute family = {.type = CTRL_ATTR_FAMILY_ID};
	struct attribute features = {.type = A_DEV_FEATURES};
	struct nlmsghdr *header = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	int err;

	mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, FAMILY_NAME);
	err = ask(socket, buffer, &family);
	if (err)
		return err;
	header = begin(buffer, (uint16_t)family.value, CMD_DEV_GET, FAMILY_VERSION);
	mnl_attr_put_u32(header, A_DEV_IFINDEX, (uint32_t)ifindex);
	err = ask(socket, buffer, &features);
	return err ? err : (int64_t)features.value;
}

int64_t host_xdp_features(int ifindex)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	int64_t result;

	if (!socket)
		return -errno;
	result = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno
								    : ask_features(socket, ifindex);
	mnl_socket_close(socket);
	return result;
}
