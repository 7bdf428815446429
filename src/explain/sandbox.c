// SPDX-License-Identifier: GPL-2.0-only
#include "explain/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/container.h"
#include "net/rtnl.h"
#include "net/rtnl_setup.h"

#define LOOPBACK 1 /* its ifindex in every namespace */

/*
 * The largest MTU that a veth interface takes: every IP packet that comes out of a tunnel fits. What is
 * too long is for the route to say.
 */
#define LINK_MTU 65535

static const uint8_t listen_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t egress_mac[6] = {0x02, 0, 0, 0, 0, 0x02};
static const uint8_t gateway_mac[6] = {0x02, 0, 0, 0, 0, 0xfe}; /* SANDBOX_GATEWAY_MAC */

static const char *const gateways[] = {"169.254.254.254", "fe80::fe"};

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
	struct netlink *rtnl;
	const struct config *config;
	uint32_t mtu; /* of the simulated way out; 0: that of the interface */
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

/* The configuration may call an interface "lo"; then the namespace's own has to step aside. */
static int prepare_loopback(struct sandbox *sandbox, struct error *error)
{
	bool taken = strcmp(sandbox->config->listen.interface, "lo") == 0 ||
		     strcmp(sandbox->config->forward.interface, "lo") == 0;
	int err = rtnl_start_link(sandbox->rtnl, LOOPBACK, taken ? "sandbox-lo" : NULL);

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

static int create_interface(struct sandbox *sandbox, const char *name, const uint8_t mac[6],
			    int *ifindex, struct error *error)
{
	char peer[IF_NAMESIZE];
	int err;

	choose_peer_name(sandbox->config, peer);
	err = rtnl_create_veth(sandbox->rtnl, name, peer, mac, LINK_MTU);
	if (!err)
		err = silence(peer);
	/* The peer cannot be started before it is one; until it is, the interface has no carrier. */
	if (!err)
		err = rtnl_start_link(sandbox->rtnl, (int)if_nametoindex(peer), NULL);
	if (err)
		return error_set(error, err,
				 "sandbox: cannot create interface '%s' as one end of a veth "
				 "pair: %s",
				 name, strerror(-err));
	*ifindex = (int)if_nametoindex(name);
	return 0;
}

static int add_gateway(struct sandbox *sandbox, const struct ip_address *gateway)
{
	int ifindex = sandbox->links.egress_ifindex;
	int err = rtnl_add_neighbour(sandbox->rtnl, ifindex, gateway, gateway_mac);

	if (!err)
		err = rtnl_add_default_route(sandbox->rtnl, ifindex, gateway, sandbox->mtu);
	return err;
}

static int add_gateways(struct sandbox *sandbox, struct error *error)
{
	for (size_t i = 0; i < sizeof(gateways) / sizeof(gateways[0]); i++) {
		struct ip_address gateway;
		int err = ip_address_parse(gateways[i], &gateway);

		if (!err && gateway.version == 6 && !has_ipv6())
			continue;
		if (!err)
			err = add_gateway(sandbox, &gateway);
		if (err)
			return error_set(error, err,
					 "sandbox: cannot route through the gateway %s: %s",
					 gateways[i], strerror(-err));
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
	int err;

	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	err = -errno;
	/* whoever is not root lacks the same in a container and outside */
	if (err != -ENOSPC && geteuid() == 0 && container_is_here())
		return error_set(error, err,
				 "explain needs a network namespace of its own, which this "
				 "container may not make: %s; run explain on the host",
				 strerror(-err));
	if (err == -EPERM)
		return error_set(error, err,
				 "explain loads the BPF program into a private network namespace, "
				 "which needs root: run it with sudo");
	return error_set(error, err, "sandbox: cannot make a network namespace: %s",
			 strerror(-err));
}

int sandbox_enter(const struct config *config, struct datapath_links *links, struct error *error)
{
	struct sandbox sandbox = {
		.config = config,
		/* in place of a smaller MTU of the interface, which is to take all that comes */
		.mtu = config->forward.mtu ? 0 : SANDBOX_DEFAULT_MTU,
	};
	int err = leave_host(error);

	if (err)
		return err;
	stay_on_one_cpu();
	err = rtnl_open(&sandbox.rtnl);
	if (err) {
		error_set(error, err, "sandbox: cannot reach rtnetlink: %s", strerror(-err));
	} else {
		sandbox.links.listen_mtu = LINK_MTU;
		sandbox.links.egress_mtu = config->forward.mtu ? LINK_MTU : SANDBOX_DEFAULT_MTU;
		err = furnish(&sandbox, error);
	}
	if (!err)
		*links = sandbox.links;
	netlink_close(sandbox.rtnl);
	return err;
}
