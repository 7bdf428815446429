/* SPDX-License-Identifier: GPL-2.0-only */
/* Which XDP modes are tried, in which order. */
#ifndef DAEMON_MODE_H
#define DAEMON_MODE_H

#include <stdbool.h>

#include "config/config.h"
#include "datapath/datapath.h"

struct mode {
	const char *name;
	bool generic;
	bool multi_buffer;
};

#define MODE_COUNT 3

extern const struct mode modes[MODE_COUNT]; /* the fastest first */

/* The mode that `xdp_mode: auto` keeps to while the interfaces are what they were. */
enum mode_kept { MODE_KEPT_NONE, MODE_KEPT_NATIVE, MODE_KEPT_GENERIC };

/*
 * `then`: the interfaces when the configuration was applied last; all zero: this process has applied
 * none. Native mode is not tried again on the same interfaces after it failed, since that would
 * interrupt traffic; and it is not given up for a failure that may pass.
 */
enum mode_kept mode_kept(const char *instance, const struct datapath_links *then,
			 const struct datapath_links *now);

bool mode_is_allowed(const struct mode *mode, enum xdp_mode wanted, enum mode_kept kept);

#endif
