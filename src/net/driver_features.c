// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the kernel's generic netlink family "netdev" (Linux 6.3; linux/netdev.h, which older systems
 * do not have).
 */
#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "net/driver_features.h"
#include "net/netlink.h"

#define FAMILY_NAME    "netdev"
#define FAMILY_VERSION 1
#define CMD_DEV_GET    1
#define A_DEV_IFINDEX  1
#define A_DEV_FEATURES 3

struct driver_attribute {
	uint16_t type;
	void *value;
	size_t size;
	bool found;
};

static int driver_take_attribute(const struct nlmsghdr *message, void *data)
{
	struct driver_attribute *wanted = data;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attribute) == wanted->type)
			wanted->found = netlink_get(attribute, wanted->value, wanted->size);
	}
	return MNL_CB_STOP;
}

static void driver_begin(union netlink_request *request, uint16_t family, uint8_t command,
			 uint8_t version)
{
	struct genlmsghdr *header = netlink_begin(request, family, 0, sizeof(*header));

	header->cmd = command;
	header->version = version;
}

/* Sends the request and copies the attribute `type` of the answer, which has `size` bytes. */
static int driver_ask(struct netlink *netlink, union netlink_request *request, uint16_t type,
		      void *value, size_t size)
{
	struct driver_attribute wanted = {.type = type, .value = value, .size = size};
	int err = netlink_ask(netlink, request, driver_take_attribute, &wanted);

	if (!err && !wanted.found)
		err = -ENODATA;
	return err;
}

int driver_xdp_features(int ifindex, uint64_t *features)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	union netlink_request request;
	uint16_t family;
	int err = netlink_open(&netlink, NETLINK_GENERIC, 0);

	if (err)
		return err;
	driver_begin(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(&request.message, CTRL_ATTR_FAMILY_NAME, FAMILY_NAME);
	err = driver_ask(netlink, &request, CTRL_ATTR_FAMILY_ID, &family, sizeof(family));
	if (err)
		return err;
	driver_begin(&request, family, CMD_DEV_GET, FAMILY_VERSION);
	mnl_attr_put_u32(&request.message, A_DEV_IFINDEX, (uint32_t)ifindex);
	return driver_ask(netlink, &request, A_DEV_FEATURES, features, sizeof(*features));
}
