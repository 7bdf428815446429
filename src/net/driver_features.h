/* SPDX-License-Identifier: GPL-2.0-only */
/* What the driver of an interface says it can do in XDP. */
#ifndef NET_DRIVER_FEATURES_H
#define NET_DRIVER_FEATURES_H

#include <stdint.h>

/* As in linux/netdev.h, enum netdev_xdp_act. */
#define DRIVER_XDP_BASIC    1
#define DRIVER_XDP_REDIRECT 2
#define DRIVER_XDP_TRANSMIT 4
#define DRIVER_XDP_RX_SG    32

/* Sets DRIVER_XDP_x, and perhaps bits without a name here. 0; -errno: this kernel does not tell. */
int driver_xdp_features(int ifindex, uint64_t *features);

#endif
