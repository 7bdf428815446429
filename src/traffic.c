// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "traffic.h"

/* By so much the kernel lets redirected frames be longer than MTU and Ethernet header. */
#define VLAN_ROOM 4
#define IP_HEADER 20

int64_t traffic_forward_mtu(const struct config *config, const struct host *host)
{
	return config->forward.mtu ? (int64_t)config->forward.mtu : host->forward.mtu;
}

int64_t traffic_largest_inner(const struct host *host)
{
	return host->listen.mtu == HOST_UNKNOWN ? HOST_UNKNOWN : host->listen.mtu - TRAFFIC_TUNNEL;
}

int64_t traffic_fragments(const struct config *config, const struct host *host)
{
	int64_t mtu = traffic_forward_mtu(config, host), inner = traffic_largest_inner(host);
	int64_t chunk = (mtu - IP_HEADER) / 8 * 8;

	if (config->forward.oversize != OVERSIZE_FRAGMENT || mtu == HOST_UNKNOWN || inner <= mtu ||
	    chunk <= 0)
		return 0;
	return (inner - IP_HEADER + chunk - 1) / chunk;
}

enum traffic_cutting traffic_cutting(const struct config *config, const struct host *host,
				     bool generic)
{
	int64_t mtu = traffic_forward_mtu(config, host);

	if (!traffic_fragments(config, host))
		return TRAFFIC_NOTHING_TO_CUT;
	if (generic)
		return TRAFFIC_GENERIC_MODE;
	if (host->forward.mtu + VLAN_ROOM <= mtu + (int64_t)sizeof(struct fragment_shim))
		return TRAFFIC_DEVICE_TOO_SMALL;
	return host->features.broadcast == ANSWER_NO ? TRAFFIC_KERNEL_TOO_OLD : TRAFFIC_CUT_IN_XDP;
}

enum traffic_passing traffic_passing(const struct config *config, const struct host *host)
{
	enum traffic_cutting cutting =
		traffic_cutting(config, host, config->listen.xdp_mode == XDP_MODE_GENERIC);

	if (config->forward.unmatched == FALLBACK_PASS || config->inner.truncated == FALLBACK_PASS)
		return TRAFFIC_DOES_PASS;
	if (config->forward.oversize == OVERSIZE_PASS &&
	    traffic_largest_inner(host) > traffic_forward_mtu(config, host))
		return TRAFFIC_DOES_PASS;
	if (cutting > TRAFFIC_CUT_IN_XDP)
		return TRAFFIC_DOES_PASS;
	/* unknown neighbours; packets to be cut that have IP options */
	if (config->forward.next_hop == NEXT_HOP_ROUTE || cutting == TRAFFIC_CUT_IN_XDP)
		return TRAFFIC_MAY_PASS;
	return TRAFFIC_NEVER_PASSES;
}

bool traffic_has_version(const struct config *config, int version)
{
	for (size_t i = 0; i < config->rule_count; i++) {
		if (config->rules[i].to.address.version == version)
			return true;
	}
	return version == 4 && config->forward.unmatched == FALLBACK_FORWARD;
}
