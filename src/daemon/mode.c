// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/mode.h"

const struct mode modes[MODE_COUNT] = {
	{"native", false, false},
	{"native, multi-buffer", false, true},
	{"generic", true, false},
};

static bool same_interfaces(const struct datapath_links *a, const struct datapath_links *b)
{
	return a->listen_ifindex == b->listen_ifindex && a->egress_ifindex == b->egress_ifindex &&
	       a->listen_mtu == b->listen_mtu && a->egress_mtu == b->egress_mtu;
}

enum mode_kept mode_kept(const char *instance, const struct datapath_links *then,
			 const struct datapath_links *now)
{
	bool generic = datapath_is_generic(instance, now->listen_ifindex);

	if (!then->listen_ifindex) /* this process has just started, and adopts what runs */
		return generic ? MODE_KEPT_GENERIC : MODE_KEPT_NONE;
	if (!same_interfaces(then, now))
		return MODE_KEPT_NONE;
	return generic ? MODE_KEPT_GENERIC : MODE_KEPT_NATIVE;
}

bool mode_is_allowed(const struct mode *mode, enum xdp_mode wanted, enum mode_kept kept)
{
	if (wanted == XDP_MODE_AUTO)
		return kept == MODE_KEPT_NONE || mode->generic == (kept == MODE_KEPT_GENERIC);
	return mode->generic == (wanted == XDP_MODE_GENERIC);
}
