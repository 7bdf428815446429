/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of network interfaces, in this process's network namespace. */
#ifndef NET_NETDEV_H
#define NET_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct netdev {
	int ifindex;
	uint16_t type;  /* ARPHRD_x */
	bool arp;       /* neighbours are asked for */
	uint8_t mac[6]; /* zero where the interface has none */
	uint32_t mtu;   /* bytes */
	bool up;        /* administratively */
	bool carrier;
	char driver[32]; /* "veth", "ena"; empty when unknown */
};

/* 0; -ENODEV when there is no such interface. */
int netdev_get(const char *name, struct netdev *netdev, struct error *error);

/*
 * Puts the interface's own name in place of one of its alternative names (`ip link property add dev
 * ens6 altname mirror0`), which /sys, /proc and nftables do not know. `name`: IF_NAMESIZE bytes. 0;
 * -ENODEV when no interface has it, and it stays: one that gets it a moment later has a name of its own.
 */
int netdev_find_name(char *name, struct error *error);

/* 0 or -errno; -EINVAL: more or less than the driver takes now. */
int netdev_set_mtu(const char *name, uint32_t mtu);

/* Does IPsec leave alone what a host sends over IPv4 out of the one, having come in by the other? */
bool netdev_skips_policies(const char *egress);
bool netdev_skips_forward_policies(const char *listen);

/* Is forwarding of this IP version (4 or 6) on for packets of this interface? */
bool netdev_forwards(const char *name, int version);

#endif
