// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "base/cleanup.h"
#include "net/ethtool.h"
#include "net/netdev.h"

static int netdev_query(int fd, unsigned long request, struct ifreq *request_data)
{
	return ioctl(fd, request, request_data) < 0 ? -errno : 0;
}

static int netdev_not_asked(const char *name, int err, struct error *error)
{
	return error_set(error, err, "%s: cannot ask the kernel: %s", name, strerror(-err));
}

static int netdev_not_found(const char *name, int err, struct error *error)
{
	return error_set(error, err, "no interface %s on this host; `ip link` lists them", name);
}

int netdev_find_name(char *name, struct error *error)
{
	char own[IF_NAMESIZE];
	unsigned int ifindex = if_nametoindex(name);

	/* ENXIO: it was deleted meanwhile */
	if (!ifindex || !if_indextoname(ifindex, own))
		return errno == ENODEV || errno == ENXIO ? netdev_not_found(name, -ENODEV, error)
							 : netdev_not_asked(name, -errno, error);
	strcpy(name, own);
	return 0;
}

static void netdev_read_driver(const char *name, struct netdev *netdev)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	if (ethtool_request(name, &info) == 0)
		snprintf(netdev->driver, sizeof(netdev->driver), "%s", info.driver);
}

/*
 * The flag IFF_RUNNING follows the carrier up to a second later (net/core/link_watch.c); the driver
 * knows at once.
 */
static bool netdev_has_carrier(const char *name, bool running)
{
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};

	return ethtool_request(name, &link) == 0 ? link.data : running;
}

int netdev_get(const char *name, struct netdev *netdev, struct error *error)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct netdev found = {0};
	struct ifreq ifr = {0};
	int err;

	if (fd < 0)
		return netdev_not_asked(name, -errno, error);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	err = netdev_query(fd, SIOCGIFINDEX, &ifr);
	if (err)
		return netdev_not_found(name, err, error);
	found.ifindex = ifr.ifr_ifindex;
	err = netdev_query(fd, SIOCGIFHWADDR, &ifr);
	if (!err) {
		found.type = ifr.ifr_hwaddr.sa_family;
		memcpy(found.mac, ifr.ifr_hwaddr.sa_data, sizeof(found.mac));
	}
	if (!err)
		err = netdev_query(fd, SIOCGIFMTU, &ifr);
	if (!err)
		found.mtu = ifr.ifr_mtu;
	if (!err)
		err = netdev_query(fd, SIOCGIFFLAGS, &ifr);
	if (err)
		return error_set(error, err, "%s: cannot read its properties: %s", name,
				 strerror(-err));
	found.up = ifr.ifr_flags & IFF_UP;
	found.arp = !(ifr.ifr_flags & IFF_NOARP);
	found.carrier = netdev_has_carrier(name, ifr.ifr_flags & IFF_RUNNING);
	netdev_read_driver(name, &found);
	*netdev = found;
	return 0;
}

int netdev_set_mtu(const char *name, uint32_t mtu)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return netdev_query(fd, SIOCSIFMTU, &ifr);
}

static bool netdev_is_set(int version, const char *name, const char *setting)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv%d/conf/%s/%s", version, name, setting);
	file = fopen(path, "re");
	return file && fgetc(file) == '1';
}

bool netdev_forwards(const char *name, int version)
{
	return netdev_is_set(version, name, "forwarding");
}

/* net/ipv4/route.c asks the interface and `all`, and IPv6 has no such setting. */
bool netdev_skips_policies(const char *egress)
{
	return netdev_is_set(4, egress, "disable_xfrm") || netdev_is_set(4, "all", "disable_xfrm");
}

bool netdev_skips_forward_policies(const char *listen)
{
	return netdev_is_set(4, listen, "disable_policy") ||
	       netdev_is_set(4, "all", "disable_policy");
}
