/* SPDX-License-Identifier: GPL-2.0-only */
/* What an operator should know of a configuration that was applied, and what mends it. */
#ifndef DAEMON_WARNINGS_H
#define DAEMON_WARNINGS_H

#include "base/error.h"
#include "base/progress.h"
#include "config/config.h"
#include "datapath/datapath.h"
#include "net/netdev.h"

void warn_of_links(const struct config *config, const struct netdev *listen,
		   const struct netdev *egress);
void warn_of_sources(const struct config *config);
/* Of a BPF file system that may end before the host does. */
void warn_of_bpffs(const char *instance);
void warn_of_forwarding(const struct config *config);
/* `why` the kernel cannot be kept from answering captured packets. */
void warn_of_answers(const struct error *why);
void warn_of_fragmenting(const struct config *config, enum fragmenting fragmenting,
			 const struct datapath_links *links);
/* By the next hops that were found. */
void warn_of_local_targets(const struct config *config, const struct datapath_control *control);
void warn_of_bypass(const struct config *config, const struct progress *progress);
/* In generic mode. */
void warn_of_vlan_tags(const struct config *config, const struct netdev *listen);
/* `refusal` says why native mode could not be had; empty: it was not tried. */
void warn_of_generic_mode(const char *instance, const struct config *config,
			  const struct error *refusal);

#endif
