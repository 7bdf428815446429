/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps the kernel from answering captured packets that are handed to it. Whoever sent them is a
 * production host, which must not hear of its mirror: no ICMP error, no RST, no echo reply.
 *
 * The datapath gives such a packet a source MAC of the instance's own. Rules of nftables, in tables
 * named "vxlan-pipeline-INSTANCE", mark what has that MAC on its way in (hook ingress of the netdev
 * family, which comes before everything in the stack that could answer), and drop what the kernel
 * itself sends under that mark. Settings of the network namespace give the answers that mark:
 * fwmark_reflect to ICMP errors, echo replies and RSTs (net/ipv4/icmp.c, net/ipv6/icmp.c,
 * net/ipv4/tcp_ipv4.c), tcp_fwmark_accept to the SYN-ACK of a listening socket.
 * Neighbour discovery, MLD and IGMP of the captured network are dropped on their way in: they would
 * have this host take part in it.
 * The tables also drop the kernel's ICMP errors about the tunnel itself, which would go to the mirror
 * source, a production host, too.
 */
#ifndef NET_SILENCE_H
#define NET_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/netlink.h"

#define SILENCE_SETTINGS 3

struct silence {
	char interface[16]; /* listen.interface */
	char before[16]; /* the one of the configuration before, while both may be used; or empty */
	uint8_t mac[6];  /* the source MAC of what is handed to the kernel */
	uint32_t mark;   /* not 0 */
	uint16_t port;   /* UDP port of the tunnel, host order */
	/* values of the settings before all this; silence_begin() sets them */
	char before_settings[SILENCE_SETTINGS];
};

/* What the rules have counted, in packets, since they were made. */
struct silence_counts {
	uint64_t passed;  /* to the kernel by the datapath */
	uint64_t answers; /* of the kernel to captured packets, dropped */
	uint64_t tunnel;  /* errors about the tunnel, dropped */
};

/*
 * Makes the tables and the settings, unless all that is so already; the counts go on then.
 * 0; -EOPNOTSUPP: this kernel has no nftables; else -errno.
 */
int silence_begin(const char *instance, struct silence *silence, struct error *error);

/*
 * Is what silence_begin() made whole? 0 and the counts, or -ENOENT and what is missing; -errno: not
 * known. `counts` may be NULL.
 */
int silence_read(const char *instance, const struct silence *silence, struct silence_counts *counts,
		 struct error *error);

/* Are the settings as they have to be? Much cheaper to ask than silence_read(). */
bool silence_is_set(void);

/* Removes the tables, and gives the settings back the values they had when no instance needs them. */
void silence_end(const char *instance);

/*
 * A socket that becomes readable when somebody changes rules in this network namespace.
 * silence_events() empties it, and says whether there was anything.
 */
int silence_open_events(struct netlink **out);
bool silence_events(const struct netlink *events);

#endif
