/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF file system, and whose it is: each mount namespace may have another one, or none. */
#ifndef INSTANCE_BPFFS_H
#define INSTANCE_BPFFS_H

#include <stdbool.h>

#include "base/error.h"

bool instance_has_bpffs(void); /* is it mounted? */
/* Mounts it if it is not; 0 or -errno. */
int instance_mount_bpffs(struct error *error);
/*
 * Why the file system that the instance is pinned in, or would be, may end before the host does, and all
 * that is pinned there with it; what to do about it included. NULL: no reason is known.
 */
const char *instance_bpffs_doubt(const char *name);

/* How messages go on behind an instance or its program that is pinned where this process does not see. */
#define INSTANCE_PINNED_ELSEWHERE                                                                  \
	"whose pins are not in the BPF file system of this mount namespace: started by `ip netns " \
	"exec`, or in a container?"

/*
 * For commands: where this process sees no pins of the instance, but the daemon, a process of this PID
 * namespace, does, they are read and written as the daemon sees them from now on. Returns whether.
 */
bool instance_follow_daemon(const char *name);

#endif
