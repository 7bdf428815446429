// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "traffic.h"

#define IP_HEADER 20

int64_t traffic_forward_mtu(const struct config *config, const struct host *host)
{
	return config->forward.mtu ? (int64_t)config->forward.mtu : host->forward.mtu;
}

int64_t traffic_largest_inner(const struct host *host)
{
	return host->listen.mtu == HOST_UNKNOWN ? HOST_UNKNOWN : host->listen.mtu - CUTTING_TUNNEL;
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

enum cutting traffic_cutting(const struct config *config, const struct host *host, bool generic)
{
	enum cutting cutting =
		cutting_choose(config->forward.oversize, traffic_largest_inner(host),
			       traffic_forward_mtu(config, host), host->forward.mtu, generic);

	/* none where a size is not known, either */
	if (!traffic_fragments(config, host))
		return CUTTING_NONE;
	if (cutting == CUTTING_IN_XDP && host->features.broadcast == ANSWER_NO)
		return CUTTING_KERNEL_TOO_OLD;
	return cutting;
}

enum traffic_passing traffic_passing(const struct config *config, const struct host *host)
{
	enum cutting cutting =
		traffic_cutting(config, host, config->listen.xdp_mode == XDP_MODE_GENERIC);

	if (config->forward.unmatched == FALLBACK_PASS || config->inner.truncated == FALLBACK_PASS)
		return TRAFFIC_DOES_PASS;
	if (!config_may_send(config, 4) && !config_may_send(config, 6))
		return TRAFFIC_NEVER_PASSES;
	if (config->forward.oversize == OVERSIZE_PASS &&
	    traffic_largest_inner(host) > traffic_forward_mtu(config, host))
		return TRAFFIC_DOES_PASS;
	if (cutting > CUTTING_IN_XDP)
		return TRAFFIC_DOES_PASS;
	/* unknown neighbours; packets to be cut that have IP options */
	if (config->forward.next_hop == NEXT_HOP_ROUTE || cutting == CUTTING_IN_XDP)
		return TRAFFIC_MAY_PASS;
	return TRAFFIC_NEVER_PASSES;
}

bool traffic_passes_version(const struct config *config, const struct host *host, int version)
{
	/* truncated packets the kernel drops, whatever its settings */
	bool by_itself = config->forward.unmatched == FALLBACK_PASS;

	return traffic_passing(config, host) != TRAFFIC_NEVER_PASSES &&
	       (config_may_send(config, version) || (version == 4 && by_itself));
}
