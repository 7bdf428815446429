/* SPDX-License-Identifier: GPL-2.0-only */
/* Features as `ethtool -k` shows them: work that the device does for the kernel's stack. */
#ifndef NET_ETHTOOL_FEATURES_H
#define NET_ETHTOOL_FEATURES_H

#include <stdbool.h>

/* The device moves VLAN tags of received frames into the metadata of packets: 802.1Q, 802.1ad. */
#define ETHTOOL_RX_VLAN      "rx-vlan-hw-parse"
#define ETHTOOL_RX_VLAN_STAG "rx-vlan-stag-hw-parse"

struct ethtool_feature {
	bool on;
	bool fixed; /* it cannot be switched */
};

/* 0; -ENOENT: this kernel knows no such feature; -errno. */
int ethtool_read_feature(const char *interface, const char *name, struct ethtool_feature *feature);

#endif
