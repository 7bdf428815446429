/* SPDX-License-Identifier: GPL-2.0-only */
/* The interfaces of a configuration: found, held against it, and compared with what they were. */
#ifndef DAEMON_LINKS_H
#define DAEMON_LINKS_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "datapath/datapath.h"
#include "net/netdev.h"

/* As they are now; 0, or -errno when one is not there. */
int daemon_find_links(const struct config *config, struct datapath_links *links,
		      struct netdev *listen, struct netdev *egress, struct error *error);

/* 0; -ERANGE: the configuration asks for more than the interfaces can do. */
int daemon_check_links(const struct config *config, const struct netdev *listen,
		       const struct netdev *egress, struct error *error);

/* Do they differ in what a loaded program was made for? Then *why says in what. */
bool daemon_links_changed(const struct config *config, const struct datapath_links *then,
			  const struct datapath_links *now, struct error *why);

#endif
