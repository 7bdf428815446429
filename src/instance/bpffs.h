/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF file system: each mount namespace may have its own, or none. */
#ifndef INSTANCE_BPFFS_H
#define INSTANCE_BPFFS_H

#include <stdbool.h>

#include "base/error.h"

bool instance_has_bpffs(void); /* is it mounted? */
/* Mounts it if it is not; 0 or -errno. */
int instance_mount_bpffs(struct error *error);
/*
 * Says why the BPF file system, and with it the pins of the instance, may end before the host
 * does, and what to do about it. NULL: no reason is known.
 */
const char *instance_bpffs_doubt(const char *name);

/* Part of messages about an instance or its program, if this process does not see its pins. */
#define INSTANCE_PINNED_ELSEWHERE                                                                  \
	"whose pins are not in the BPF file system of this mount namespace: started by `ip netns " \
	"exec`, or in a container?"

/*
 * For commands: if this process does not see the instance's pins, but the daemon does, and is in
 * this PID namespace, instance_pin_path() leads to the daemon's view from now on. Returns whether
 * it does.
 */
bool instance_follow_daemon(const char *name);

#endif
