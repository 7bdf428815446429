/* SPDX-License-Identifier: GPL-2.0-only */
/* What `ethtool -k` shows: what a device does itself for the kernel's stack. */
#ifndef NET_ETHTOOL_FEATURES_H
#define NET_ETHTOOL_FEATURES_H

#include <stdbool.h>

/* A VLAN tag of a received frame goes beside it, into the packet's metadata: 802.1Q, 802.1ad. */
#define ETHTOOL_RX_VLAN      "rx-vlan-hw-parse"
#define ETHTOOL_RX_VLAN_STAG "rx-vlan-stag-hw-parse"

struct ethtool_feature {
	bool on;
	bool fixed; /* and cannot be switched */
};

/* 0; -ENOENT: this kernel knows no such feature; -errno. */
int ethtool_read_feature(const char *interface, const char *name, struct ethtool_feature *feature);

#endif
