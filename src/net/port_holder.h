/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose socket it is that keeps a TCP port from being had. */
#ifndef NET_PORT_HOLDER_H
#define NET_PORT_HOLDER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

struct port_holder {
	uint32_t inode; /* of the socket; 0: none is known */
	uint32_t uid;
	pid_t pid;        /* 0: not known; it takes root to look into processes of others */
	char command[16]; /* its name for itself; empty when `pid` is not known */
};

/*
 * *holder is the one found before, or all zero; if its socket is still there, all that is known of it
 * stays. 0; -ENOENT: no socket is seen, as one that only has the port is not before Linux 6.8; or
 * -errno. Takes no longer than a fifth of a second, however many processes there are.
 */
int port_find_holder(const struct ip_endpoint *endpoint, struct port_holder *holder);

#endif
