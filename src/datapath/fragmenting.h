/* SPDX-License-Identifier: GPL-2.0-only */
/* Who fragments packets that are too large: one decision for the datapath and for `check`. Pure. */
#ifndef DATAPATH_FRAGMENTING_H
#define DATAPATH_FRAGMENTING_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/pipeline.h"

/* Outer IPv4, UDP, VXLAN and inner Ethernet header, in bytes: what the tunnel takes of the MTU. */
#define FRAGMENTING_TUNNEL 50

/*
 * A device's MTU has to exceed a packet that is fragmented in XDP by this many bytes: its frame has a
 * shim in front, and the kernel takes redirected frames that are longer than MTU and Ethernet header
 * by a VLAN tag.
 */
#define FRAGMENTING_ROOM ((int64_t)sizeof(struct fragment_shim) - VLAN_HLEN)

/* The largest IP packet that comes whole and can be copied, in bytes: behind an outer IPv4 header. */
#define FRAGMENTING_LARGEST (FRAGMENT_COPY_ROOM - FRAGMENT_HEADROOM - 14 - FRAGMENTING_TUNNEL)

enum fragmenting {
	FRAGMENTING_NONE,   /* not asked for, or nothing that large can arrive */
	FRAGMENTING_IN_XDP, /* if the kernel copies frames: that is the caller's to find out */
	FRAGMENTING_KERNEL_TOO_OLD,   /* it does not copy frames (Linux 5.14) */
	FRAGMENTING_GENERIC_MODE,     /* where copies share their data */
	FRAGMENTING_DEVICE_TOO_SMALL, /* forward.interface does not admit a frame to be fragmented */
};

/*
 * `largest`: the largest inner packet that can arrive; `mtu`: the largest that may be sent;
 * `device_mtu`: of forward.interface; all in bytes. Never FRAGMENTING_KERNEL_TOO_OLD.
 */
enum fragmenting fragmenting_choose(enum oversize_mode oversize, int64_t largest, int64_t mtu,
				    int64_t device_mtu, bool generic);

/* The largest packet that is fragmented in XDP to `mtu`, if the device admits it; in bytes. */
int64_t fragmenting_largest(int64_t mtu);
/* The MTU by which the device admits the largest that can be, if none is larger than `largest`; in bytes. */
int64_t fragmenting_device_mtu(int64_t largest);

#endif
