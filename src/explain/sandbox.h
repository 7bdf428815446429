/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A private network namespace with the interfaces of a configuration, in which the real program can
 * be run without touching the host. It ends with the process; nothing has a name outside of it.
 */
#ifndef EXPLAIN_SANDBOX_H
#define EXPLAIN_SANDBOX_H

#include "datapath/datapath.h"

#define SANDBOX_GATEWAY_MAC "02:00:00:00:00:fe"

/* Of forward.interface, where the configuration leaves forward.mtu to the interface. */
#define SANDBOX_DEFAULT_MTU 1500

/*
 * Moves the process into the namespace, for good. In it, listen.interface has MAC
 * 02:00:00:00:00:01, forward.interface 02:00:00:00:00:02, and everything is reached through
 * forward.interface and a gateway that is always known, SANDBOX_GATEWAY_MAC.
 * -EPERM: needs root.
 */
int sandbox_enter(const struct config *config, struct datapath_links *links, struct error *error);

#endif
