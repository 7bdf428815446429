/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds out who holds a TCP port. */
#ifndef NET_PORT_HOLDER_H
#define NET_PORT_HOLDER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

struct port_holder {
	uint32_t inode; /* of the socket; 0: not known */
	uint32_t uid;
	pid_t pid;        /* 0: not known; only root sees the files of other users' processes */
	char command[16]; /* as in /proc/PID/comm; empty when `pid` is not known */
};

/*
 * *holder is what an earlier call found, or all zero. If the same socket still holds the port, *holder
 * stays. Looks through processes for at most 0.2 s. 0, or -errno; -ENOENT: no such socket is to be seen;
 * before Linux 6.8 the kernel does not list one that is bound and does not listen.
 */
int port_find_holder(const struct ip_endpoint *endpoint, struct port_holder *holder);

#endif
