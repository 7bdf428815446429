/* SPDX-License-Identifier: GPL-2.0-only */
/* Who cuts what is larger than may be sent: one decision for the datapath and for `check`. Pure. */
#ifndef DATAPATH_CUTTING_H
#define DATAPATH_CUTTING_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/pipeline.h"

/* Outer IPv4, UDP, VXLAN and inner Ethernet header, in bytes: what the tunnel takes of the MTU. */
#define CUTTING_TUNNEL 50

/*
 * By so much a device's MTU has to exceed a packet that is to be cut, in bytes: its frame has a shim
 * in front, and the kernel lets redirected frames be longer than MTU and Ethernet header by a VLAN
 * tag.
 */
#define CUTTING_ROOM ((int64_t)sizeof(struct fragment_shim) - VLAN_HLEN)

enum cutting {
	CUTTING_NONE,           /* not asked for, or nothing that large can arrive */
	CUTTING_IN_XDP,         /* if the kernel copies frames: that is the caller's to find out */
	CUTTING_KERNEL_TOO_OLD, /* it does not copy frames (Linux 5.14) */
	CUTTING_GENERIC_MODE,   /* where copies share their data */
	CUTTING_DEVICE_TOO_SMALL, /* forward.interface does not admit a frame to be cut */
};

/*
 * `largest`: the largest inner packet that can arrive; `mtu`: the largest that may be sent;
 * `device_mtu`: of forward.interface; all in bytes. Never CUTTING_KERNEL_TOO_OLD.
 */
enum cutting cutting_choose(enum oversize_mode oversize, int64_t largest, int64_t mtu,
			    int64_t device_mtu, bool generic);

#endif
