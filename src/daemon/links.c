// SPDX-License-Identifier: GPL-2.0-only
/* The interfaces of a configuration, as the kernel has them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <linux/if_arp.h>

#include "daemon/links.h"
#include "net/driver.h"
#include "net/netdev.h"
#include "net/rtnl_link.h"

int daemon_find_links(const struct config *config, struct datapath_links *links,
		      struct netdev *listen, struct netdev *egress, struct error *error)
{
	int err = netdev_get(config->listen.interface, listen, error);

	if (!err)
		err = netdev_get(config->forward.interface, egress, error);
	if (err)
		return err;
	memset(links, 0, sizeof(*links));
	links->listen_ifindex = listen->ifindex;
	links->egress_ifindex = egress->ifindex;
	/* struct netdev has no version, so that every ENA counts as the in-tree one */
	links->rings_each = driver_named(listen->driver).rings_each;
	links->listen_mtu = listen->mtu;
	links->egress_mtu = egress->mtu;
	memcpy(links->listen_mac, listen->mac, sizeof(links->listen_mac));
	memcpy(links->egress_mac, egress->mac, sizeof(links->egress_mac));
	return 0;
}

/* The datapath takes and gives Ethernet frames. */
static int daemon_check_type(const char *key, const char *interface, const struct netdev *netdev,
			     struct error *error)
{
	struct rtnl_kind kind = {0};
	char text[RTNL_KIND_SIZE];

	if (netdev->type == ARPHRD_ETHER)
		return 0;
	rtnl_read_kind(netdev->ifindex, &kind);
	return error_set(error, -ERANGE,
			 "%s: %s is of type %s, and XDP would give and take Ethernet frames where "
			 "it has none; name an Ethernet interface",
			 key, interface, rtnl_kind_format(netdev->type, kind.name, text));
}

int daemon_check_links(const struct config *config, const struct netdev *listen,
		       const struct netdev *egress, struct error *error)
{
	int err = daemon_check_type("listen.interface", config->listen.interface, listen, error);

	if (!err)
		err = daemon_check_type("forward.interface", config->forward.interface, egress,
					error);
	if (err || config->forward.mtu <= egress->mtu)
		return err;
	return error_set(error, -ERANGE,
			 "forward.mtu: %" PRIu32 " is more than the MTU of %s, %" PRIu32
			 "; lower it, or: ip link set dev %s mtu %" PRIu32,
			 config->forward.mtu, config->forward.interface, egress->mtu,
			 config->forward.interface, config->forward.mtu);
}

static bool link_changed(struct error *why, const char *interface, const char *what)
{
	error_set(why, 0, "%s %s", interface, what);
	return true;
}

bool daemon_links_changed(const struct config *config, const struct datapath_links *then,
			  const struct datapath_links *now, struct error *why)
{
	const char *listen = config->listen.interface, *egress = config->forward.interface;

	if (now->listen_ifindex != then->listen_ifindex)
		return link_changed(why, listen, "was made anew");
	if (now->egress_ifindex != then->egress_ifindex)
		return link_changed(why, egress, "was made anew");
	if (now->listen_mtu != then->listen_mtu)
		return link_changed(why, listen, "has another MTU");
	if (now->egress_mtu != then->egress_mtu)
		return link_changed(why, egress, "has another MTU");
	if (memcmp(now->listen_mac, then->listen_mac, sizeof(now->listen_mac)) != 0)
		return link_changed(why, listen, "has another MAC address");
	if (memcmp(now->egress_mac, then->egress_mac, sizeof(now->egress_mac)) != 0)
		return link_changed(why, egress, "has another MAC address");
	return false;
}
