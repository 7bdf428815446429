// SPDX-License-Identifier: GPL-2.0-only
/* What packets that are passed to the kernel are known by: a mark, and a MAC made of it. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "datapath/internal.h"
#include "net/rtnl.h"

/*
 * Bits that Kubernetes gives a meaning: kube-proxy masquerades what has the one, and the kubelet drops
 * what has the other (--iptables-masquerade-bit 14, --iptables-drop-bit 15).
 */
#define KUBERNETES_BITS 0xc000U

/*
 * Packets with the mark are to go the way of packets without one, so it has no bit that others ask for:
 * those of Kubernetes, and those of this host's routing rules, if they leave any.
 */
static uint32_t free_bits(void)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	uint32_t taken = 0;

	if (rtnl_open(&netlink) || rtnl_read_mark_bits(netlink, &taken))
		taken = 0;
	taken |= KUBERNETES_BITS;
	return taken == UINT32_MAX ? taken : ~taken;
}

int datapath_choose_mark(struct datapath_pins *pins, struct error *error)
{
	uint32_t bits;

	pins->pass_mark = pins->info.pass_mark;
	if (pins->pass_mark)
		return 0;
	bits = free_bits();
	while (!pins->pass_mark) {
		if (getrandom(&pins->pass_mark, sizeof(pins->pass_mark), 0) < 0)
			return error_set(error, -errno, "no random numbers: %s", strerror(errno));
		pins->pass_mark &= bits;
	}
	return 0;
}

uint32_t datapath_pass_mark(const struct datapath_pins *pins)
{
	return pins->pass_mark;
}

/* A locally administered unicast address. */
void datapath_pass_mac(uint32_t mark, uint8_t mac[6])
{
	const uint8_t local[2] = {0x02, 0x56};

	memcpy(mac, local, sizeof(local));
	memcpy(mac + sizeof(local), &mark, sizeof(mark));
}
