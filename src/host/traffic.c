// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "host/traffic.h"

#define IP_HEADER 20

int64_t traffic_forward_mtu(const struct config *config, const struct host *host)
{
	return config->forward.mtu ? (int64_t)config->forward.mtu : host->forward.mtu;
}

int64_t traffic_largest_inner(const struct host *host)
{
	return host->listen.mtu == HOST_UNKNOWN ? HOST_UNKNOWN
						: host->listen.mtu - FRAGMENTING_TUNNEL;
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

enum fragmenting traffic_fragmenting(const struct config *config, const struct host *host,
				     bool generic)
{
	enum fragmenting fragmenting =
		fragmenting_choose(config->forward.oversize, traffic_largest_inner(host),
				   traffic_forward_mtu(config, host), host->forward.mtu, generic);

	/* nothing has to be fragmented, or a size is not known */
	if (!traffic_fragments(config, host))
		return FRAGMENTING_NONE;
	if (fragmenting == FRAGMENTING_IN_XDP && host->features.broadcast == ANSWER_NO)
		return FRAGMENTING_KERNEL_TOO_OLD;
	return fragmenting;
}

bool traffic_kernel_fragments(const struct config *config, const struct host *host)
{
	return host->forward.mtu <= traffic_forward_mtu(config, host);
}

/* Does the datapath pass packets to the kernel to forward, if only now and then? */
static bool passes(const struct config *config, const struct host *host)
{
	if (config->forward.unmatched == FALLBACK_PASS || config->inner.truncated == FALLBACK_PASS)
		return true;
	if (!config_may_send(config, 4) && !config_may_send(config, 6))
		return false;
	if (config->forward.next_hop == NEXT_HOP_ROUTE) /* a rule's target may be this host */
		return true;
	if (config->forward.oversize == OVERSIZE_PASS &&
	    traffic_largest_inner(host) > traffic_forward_mtu(config, host))
		return true;
	/* even if XDP fragments: it passes packets with IP options */
	return traffic_fragmenting(config, host, config->listen.xdp_mode == XDP_MODE_GENERIC) !=
	       FRAGMENTING_NONE;
}

bool traffic_passes_version(const struct config *config, const struct host *host, int version)
{
	/* the kernel drops truncated packets, whatever its settings */
	bool by_itself = config->forward.unmatched == FALLBACK_PASS;

	return passes(config, host) &&
	       (config_may_send(config, version) || (version == 4 && by_itself));
}
