/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets that listen on "address:port" or "[v6]:port", also where the host has no such address yet. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

/* Opens one. Returns a descriptor or -errno: -EADDRINUSE; -EACCES, a port that takes a capability. */
int listen_open(const char *listen_on);

/* Could it be opened now? 0 or -errno. Nobody can connect meanwhile, and nothing stays open. */
int listen_try(const char *listen_on);

#endif
