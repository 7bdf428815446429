/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of network drivers and XDP, as far as it is not to be had from the kernel. Pure. */
#ifndef HOST_DRIVER_H
#define HOST_DRIVER_H

#include "host/host.h"

/* ENA sends no more IP fragments a second and interface, unless enable_frag_bypass is set. */
#define DRIVER_ENA_FRAGMENTS 1024

/* Versions of ENA from amzn-drivers as one number. */
#define DRIVER_VERSION(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))
#define DRIVER_ENA_FRAG_BYPASS              DRIVER_VERSION(2, 13, 3) /* has enable_frag_bypass */
#define DRIVER_ENA_ANY_MTU                  DRIVER_VERSION(2, 17, 0) /* any MTU and channels with xdp.frags */

struct driver {
	bool ena;
	bool in_tree;    /* ENA as the kernel has it, not amzn-drivers' */
	int64_t version; /* DRIVER_VERSION of amzn-drivers' ENA; else 0 */
	enum answer native;
	int64_t xdp_mtu;        /* the largest with an XDP program; 0: any */
	bool xdp_mtu_sure;      /* else some drivers take a little more */
	int64_t xdp_channels;   /* at most so many with an XDP program; 0: any number */
	bool needs_own_program; /* sends redirected frames only while it carries a program */
	bool attach_interrupts; /* the first program and the last take the interface down and up */
	bool panics;            /* under XDP_TX and XDP_REDIRECT */
	bool fails_xdp;         /* attaching does not work at all */
};

struct driver driver_of(const struct host *host, const struct host_link *link);

#endif
