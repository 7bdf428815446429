/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets that listen on "address:port" or "[v6]:port", even if the host does not have the address
 * yet.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stddef.h>

#include "net/port_holder.h"

/*
 * Opens one. Returns a descriptor or -errno: -EADDRINUSE; -EACCES, a port that takes a capability.
 */
int listen_open(const char *listen_on);

/*
 * Explains the error `err` of listen_open(), and what helps: "127.0.0.1:9789 is held by process 7
 * (nc) of user 1000; ...". *holder: port_find_holder(). Returns `text`.
 */
const char *listen_explain(const char *listen_on, int err, struct port_holder *holder, char *text,
			   size_t size);

/*
 * Could listen_open() succeed now? 0 or -errno. Nobody can connect meanwhile; nothing stays open.
 */
int listen_try(const char *listen_on);

#endif
