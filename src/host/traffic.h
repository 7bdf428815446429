/* SPDX-License-Identifier: GPL-2.0-only */
/* What a configuration means for the packets of a host: sizes, and which are passed. Pure. */
#ifndef HOST_TRAFFIC_H
#define HOST_TRAFFIC_H

#include "config/config.h"
#include "datapath/fragmenting.h"
#include "host/host.h"

/* forward.mtu, or that of the interface; HOST_UNKNOWN when neither is known. */
int64_t traffic_forward_mtu(const struct config *config, const struct host *host);
/* The largest inner packet that fits listen.interface; HOST_UNKNOWN when its MTU is. */
int64_t traffic_largest_inner(const struct host *host);

/* Who fragments what is larger than forward.mtu. `generic`: the mode that the program runs in. */
enum fragmenting traffic_fragmenting(const struct config *config, const struct host *host,
				     bool generic);
/*
 * Does forward.interface's MTU make the kernel fragment to forward.mtu? Else the kernel does so
 * only if the route has that MTU, and larger packets end as oversize.
 */
bool traffic_kernel_fragments(const struct config *config, const struct host *host);
/* How many fragments the largest packet makes; 0: nothing has to be fragmented. */
int64_t traffic_fragments(const struct config *config, const struct host *host);

/*
 * May the datapath pass packets of this IP version (4 or 6), which the kernel then has to forward?
 * IPv6 packets only if rules are about IPv6.
 */
bool traffic_passes_version(const struct config *config, const struct host *host, int version);

#endif
