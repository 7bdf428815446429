/* SPDX-License-Identifier: GPL-2.0-only */
/* What the driver of an interface says that it can do in XDP. */
#ifndef NET_DRIVER_FEATURES_H
#define NET_DRIVER_FEATURES_H

#include <stdint.h>

/* As in linux/netdev.h, enum netdev_xdp_act. */
#define DRIVER_XDP_BASIC    1
#define DRIVER_XDP_REDIRECT 2
#define DRIVER_XDP_TRANSMIT 4
#define DRIVER_XDP_RX_SG    32

/* DRIVER_XDP_x and bits that have no name here. 0; -errno: there is no way to ask. */
int driver_xdp_features(int ifindex, uint64_t *features);

#endif
