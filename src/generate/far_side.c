// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "generate/far_side.h"
#include "net/rtnl.h"

#define DISCARD_PORT 9
#define TRIES        50
#define TRY_NS       20000000L

/* Sends an empty datagram to the discard service, so that the kernel asks for the MAC. */
static int provoke_resolution(const char *interface, const struct ip_address *destination)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT)};

	memcpy(&to.sin_addr, destination->bytes, sizeof(to.sin_addr));
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, strlen(interface)) ||
	    sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

int generator_find_mac(const char *interface, int ifindex, const struct ip_address *address,
		       uint8_t mac[6])
{
	const struct timespec pause = {.tv_nsec = TRY_NS};
	_cleanup_netlink_ struct netlink *rtnl = NULL;
	struct rtnl_neighbour neighbour = {0};
	int err = rtnl_open(&rtnl);

	for (int i = 0; !err && i <= TRIES; i++) {
		if (rtnl_get_neighbour(rtnl, ifindex, address, &neighbour) == 0 &&
		    neighbour.valid) {
			memcpy(mac, neighbour.mac, sizeof(neighbour.mac));
			return 0;
		}
		if (i == 0)
			err = provoke_resolution(interface, address);
		else
			nanosleep(&pause, NULL);
	}
	return err ? err : -EHOSTUNREACH;
}
