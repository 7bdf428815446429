/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps the kernel from answering captured packets that the datapath passes to it. Their senders
 * are production hosts, which must not hear of their mirror: no ICMP error, no RST, no echo reply.
 *
 * The datapath gives such a packet a source MAC of the instance's own. Rules of nftables, in tables
 * named "vxlan-pipeline-INSTANCE", mark packets with that MAC when they come in (hook ingress of
 * the netdev family, before everything in the stack that could answer), mark them again behind
 * everybody else's rules at each hook, since those may change marks, and drop packets that the
 * kernel itself sends with that mark. Settings of the network namespace give its answers the mark:
 * fwmark_reflect to ICMP errors, echo replies and RSTs (net/ipv4/icmp.c, net/ipv6/icmp.c,
 * net/ipv4/tcp_ipv4.c), tcp_fwmark_accept to the SYN-ACK of a listening socket. The rules drop
 * neighbour discovery, MLD and IGMP of the captured network when they come in: they would make this
 * host take part in that network. The tables also drop the kernel's ICMP errors about the tunnel
 * itself, which would go to the mirror source, a production host, too.
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
	char before[16]; /* that of the previous configuration, while both are in use; or empty */
	uint8_t mac[6];  /* the source MAC of passed packets */
	uint32_t mark;   /* not 0 */
	uint16_t port;   /* UDP port of the tunnel, host order */
	/* the settings' values before silence_begin(), which fills this in */
	char before_settings[SILENCE_SETTINGS];
};

/* What the rules have counted, in packets, since they were made. */
struct silence_counts {
	uint64_t passed;  /* packets that the datapath has passed to the kernel */
	uint64_t answers; /* answers of the kernel to such packets, dropped */
	uint64_t tunnel;  /* errors about the tunnel, dropped */
};

/*
 * Makes the tables and the settings. If they are in place already, it leaves them, and their counts
 * go on. 0; -EOPNOTSUPP: this kernel has no nftables; else -errno.
 */
int silence_begin(const char *instance, struct silence *silence, struct error *error);

/*
 * Is everything in place that silence_begin() has made? 0 and the counts; -ENOENT, and the error
 * says what is missing; -errno: not known. `counts` may be NULL.
 */
int silence_read(const char *instance, const struct silence *silence, struct silence_counts *counts,
		 struct error *error);

/* Are the settings in place? Much cheaper than silence_read(). */
bool silence_is_set(void);

/*
 * Removes the tables. The last instance that needs the settings restores their values. 0; -errno:
 * something is left, and the error says what.
 */
int silence_end(const char *instance, struct error *error);

/*
 * Opens a socket that becomes readable when somebody changes rules in this network namespace.
 * silence_events() empties it; true: there were changes.
 */
int silence_open_events(struct netlink **out);
bool silence_events(const struct netlink *events);

#endif
