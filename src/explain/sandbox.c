// SPDX-License-Identifier: GPL-2.0-only
#include "explain/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOPBACK     1    /* its ifindex in every namespace */
#define MESSAGE_SIZE 1024 /* more than any request here needs */

static const uint8_t listen_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t egress_mac[6] = {0x02, 0, 0, 0, 0, 0x02};
static const uint8_t gateway_mac[6] = {0x02, 0, 0, 0, 0, 0xfe}; /* SANDBOX_GATEWAY_MAC */

/* What a gateway is in one address family. */
static const struct gateway {
	int family;
	size_t size;
	const char *address;
} gateways[] = {
	{AF_INET, 4, "169.254.254.254"},
	{AF_INET6, 16, "fe80::fe"},
};

/*
 * Written before the interfaces exist, so that they inherit it. Forwarding is what the program's
 * route lookups ask for; without duplicate address detection IPv6 is usable at once.
 */
static const struct {
	const char *path;
	const char *value;
} settings[] = {
	{"/proc/sys/net/ipv4/ip_forward", "1"},
	{"/proc/sys/net/ipv4/conf/all/rp_filter", "0"},
	{"/proc/sys/net/ipv4/conf/default/rp_filter", "0"},
	{"/proc/sys/net/ipv6/conf/all/disable_ipv6", "0"},
	{"/proc/sys/net/ipv6/conf/default/disable_ipv6", "0"},
	{"/proc/sys/net/ipv6/conf/all/forwarding", "1"},
	{"/proc/sys/net/ipv6/conf/default/forwarding", "1"},
	{"/proc/sys/net/ipv6/conf/all/accept_dad", "0"},
	{"/proc/sys/net/ipv6/conf/default/accept_dad", "0"},
};

struct sandbox {
	struct mnl_socket *socket;
	const struct config *config;
	uint32_t mtu; /* of the simulated way out */
	struct datapath_links links;
};

static bool has_ipv6(void)
{
	return access("/proc/sys/net/ipv6", F_OK) == 0;
}

static int apply_settings(struct error *error)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *path = settings[i].path;
		ssize_t written = -1;
		int fd;

		if (strstr(path, "/ipv6/") && !has_ipv6())
			continue;
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0)
			written = write(fd, settings[i].value, 1);
		if (written != 1) {
			int err = errno;

			if (fd >= 0)
				close(fd);
			return error_set(error, -err, "sandbox: cannot set %s to %s: %s", path,
					 settings[i].value, strerror(err));
		}
		close(fd);
	}
	return 0;
}

/* Sends one request and waits for the kernel's answer to it. Returns 0 or its negative errno. */
static int request(struct sandbox *sandbox, struct nlmsghdr *message)
{
	static unsigned int sequence;
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	unsigned int port = mnl_socket_get_portid(sandbox->socket);
	ssize_t received;

	message->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = ++sequence;
	if (mnl_socket_sendto(sandbox->socket, message, message->nlmsg_len) < 0)
		return -errno;
	received = mnl_socket_recvfrom(sandbox->socket, buffer, sizeof(buffer));
	if (received < 0)
		return -errno;
	if (mnl_cb_run(buffer, (size_t)received, message->nlmsg_seq, port, NULL, NULL) < 0)
		return -errno;
	return 0;
}

static struct nlmsghdr *start_link(char *buffer, uint16_t flags, int ifindex, bool up)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	message->nlmsg_type = RTM_NEWLINK;
	message->nlmsg_flags = flags;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = ifindex;
	if (up) {
		info->ifi_flags = IFF_UP;
		info->ifi_change = IFF_UP;
	}
	return message;
}

/* The configuration may call an interface "lo"; then the namespace's own has to step aside. */
static int prepare_loopback(struct sandbox *sandbox, struct error *error)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *message = start_link(buffer, 0, LOOPBACK, true);
	int err;

	if (strcmp(sandbox->config->listen.interface, "lo") == 0 ||
	    strcmp(sandbox->config->forward.interface, "lo") == 0)
		mnl_attr_put_strz(message, IFLA_IFNAME, "sandbox-lo");
	err = request(sandbox, message);
	if (err)
		return error_set(error, err, "sandbox: cannot start loopback: %s", strerror(-err));
	return 0;
}

/* A name for the far end of a veth pair that none of the configuration's interfaces has. */
static void choose_peer_name(const struct config *config, char name[IF_NAMESIZE])
{
	for (unsigned int i = 0;; i++) {
		snprintf(name, IF_NAMESIZE, "sandbox%u", i);
		if (strcmp(name, config->listen.interface) != 0 &&
		    strcmp(name, config->forward.interface) != 0 && !if_nametoindex(name))
			return;
	}
}

static void put_peer(struct nlmsghdr *message, const char *name)
{
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	struct nlattr *data, *peer;

	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
}

/*
 * The kernel tells a link of the IPv6 groups that it listens to: from a peer that would be packets
 * which nobody has asked about, and whose traces are taken for those of the capture's.
 */
static int silence(const char *peer)
{
	char path[64];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", peer);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno; /* no IPv6, nothing to tell */
	if (write(fd, "1", 1) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Every frame that the program can be run on fits; what is too long is for the route to say. */
static int create_interface(struct sandbox *sandbox, const char *name, const uint8_t mac[6],
			    int *ifindex, struct error *error)
{
	char buffer[MESSAGE_SIZE], peer[IF_NAMESIZE];
	struct nlmsghdr *message = start_link(buffer, NLM_F_CREATE | NLM_F_EXCL, 0, true);
	int err;

	choose_peer_name(sandbox->config, peer);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u32(message, IFLA_MTU, DATAPATH_MAX_FRAME);
	put_peer(message, peer);
	err = request(sandbox, message);
	if (!err)
		err = silence(peer);
	/* The peer cannot be started before it is one; until it is, the interface has no carrier. */
	if (!err)
		err = request(sandbox, start_link(buffer, 0, (int)if_nametoindex(peer), true));
	if (err)
		return error_set(error, err,
				 "sandbox: cannot create interface '%s' as one end of a veth "
				 "pair: %s",
				 name, strerror(-err));
	*ifindex = (int)if_nametoindex(name);
	return 0;
}

static int add_neighbour(struct sandbox *sandbox, const struct gateway *gateway)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ndmsg *neighbour;
	uint8_t address[16];

	message->nlmsg_type = RTM_NEWNEIGH;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));
	neighbour->ndm_family = (uint8_t)gateway->family;
	neighbour->ndm_ifindex = sandbox->links.egress_ifindex;
	neighbour->ndm_state = NUD_PERMANENT;
	inet_pton(gateway->family, gateway->address, address);
	mnl_attr_put(message, NDA_DST, gateway->size, address);
	mnl_attr_put(message, NDA_LLADDR, sizeof(gateway_mac), gateway_mac);
	return request(sandbox, message);
}

static int add_default_route(struct sandbox *sandbox, const struct gateway *gateway)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nlattr *metrics;
	struct rtmsg *route;
	uint8_t address[16];

	message->nlmsg_type = RTM_NEWROUTE;
	message->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = (uint8_t)gateway->family;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_UNIVERSE;
	route->rtm_type = RTN_UNICAST;
	route->rtm_flags = RTNH_F_ONLINK;
	inet_pton(gateway->family, gateway->address, address);
	mnl_attr_put(message, RTA_GATEWAY, gateway->size, address);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)sandbox->links.egress_ifindex);
	metrics = mnl_attr_nest_start(message, RTA_METRICS);
	mnl_attr_put_u32(message, RTAX_MTU, sandbox->mtu);
	mnl_attr_nest_end(message, metrics);
	return request(sandbox, message);
}

static int add_gateways(struct sandbox *sandbox, struct error *error)
{
	for (size_t i = 0; i < sizeof(gateways) / sizeof(gateways[0]); i++) {
		const struct gateway *gateway = &gateways[i];
		int err;

		if (gateway->family == AF_INET6 && !has_ipv6())
			continue;
		err = add_neighbour(sandbox, gateway);
		if (!err)
			err = add_default_route(sandbox, gateway);
		if (err)
			return error_set(error, err,
					 "sandbox: cannot route through the gateway %s: %s",
					 gateway->address, strerror(-err));
	}
	return 0;
}

static int create_interfaces(struct sandbox *sandbox, struct error *error)
{
	const struct config *config = sandbox->config;
	struct datapath_links *links = &sandbox->links;
	int err = create_interface(sandbox, config->listen.interface, listen_mac,
				   &links->listen_ifindex, error);

	if (err)
		return err;
	memcpy(links->listen_mac, listen_mac, sizeof(listen_mac));
	if (strcmp(config->listen.interface, config->forward.interface) == 0) {
		links->egress_ifindex = links->listen_ifindex;
		memcpy(links->egress_mac, listen_mac, sizeof(listen_mac));
		return 0;
	}
	memcpy(links->egress_mac, egress_mac, sizeof(egress_mac));
	return create_interface(sandbox, config->forward.interface, egress_mac,
				&links->egress_ifindex, error);
}

static int furnish(struct sandbox *sandbox, struct error *error)
{
	int err = apply_settings(error);

	if (!err)
		err = prepare_loopback(sandbox, error);
	if (!err)
		err = create_interfaces(sandbox, error);
	if (!err)
		err = add_gateways(sandbox, error);
	return err;
}

/*
 * Each CPU has its own sequence of IP IDs. On one CPU, the same capture gets the same answer every
 * time; where that cannot be had, everything else is still right.
 */
static void stay_on_one_cpu(void)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static int leave_host(struct error *error)
{
	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	if (errno == EPERM)
		return error_set(error, -EPERM,
				 "explain loads the BPF program into a private network namespace, "
				 "which needs root: run it with sudo");
	return error_set(error, -errno, "sandbox: cannot make a network namespace: %s",
			 strerror(errno));
}

int sandbox_enter(const struct config *config, struct datapath_links *links, struct error *error)
{
	struct sandbox sandbox = {
		.config = config,
		.mtu = config->forward.mtu ? config->forward.mtu : SANDBOX_DEFAULT_MTU,
	};
	int err = leave_host(error);

	if (err)
		return err;
	stay_on_one_cpu();
	sandbox.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!sandbox.socket || mnl_socket_bind(sandbox.socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = error_set(error, -errno, "sandbox: cannot reach rtnetlink: %s",
				strerror(errno));
	} else {
		/* forward.mtu is what may be sent; the device is to take all that comes */
		sandbox.links.listen_mtu = DATAPATH_MAX_FRAME;
		sandbox.links.egress_mtu =
			config->forward.mtu ? DATAPATH_MAX_FRAME : SANDBOX_DEFAULT_MTU;
		err = furnish(&sandbox, error);
	}
	if (!err)
		*links = sandbox.links;
	if (sandbox.socket)
		mnl_socket_close(sandbox.socket);
	return err;
}
