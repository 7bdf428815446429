/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's IPsec policies (ip xfrm policy) for packets that this host sends or forwards. XDP does
 * not ask them.
 */
#ifndef NET_XFRM_H
#define NET_XFRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/netlink.h"

enum xfrm_direction { XFRM_OUT, XFRM_FORWARD };

/* A port of a packet matches if its bits under the mask do. */
struct xfrm_port {
	uint16_t value; /* host order */
	uint16_t mask;  /* 0: any */
};

struct xfrm_policy {
	enum xfrm_direction direction;
	uint32_t priority; /* the lowest comes first */
	size_t listed;     /* equal ones: the last comes first, it is the oldest */
	bool is_default;   /* for packets that match no other policy; it blocks */
	bool blocks;
	uint8_t demands;         /* IPPROTO_ESP, _AH, _COMP; 0: nothing; it blocks, or lets pass */
	struct ip_prefix source; /* of the default: address.version 0, both versions */
	struct ip_prefix destination;
	uint8_t protocol; /* 0: any */
	struct xfrm_port source_port;
	struct xfrm_port destination_port;
	int ifindex; /* XFRM_OUT: packets leave by it; XFRM_FORWARD: they arrive; 0: any */
};

/* Policies for packets without a mark, in the order in which the kernel asks them. */
struct xfrm_policies {
	struct xfrm_policy *list;
	size_t count;
};

/* 0, also if the kernel has no IPsec; -EPERM: the caller lacks CAP_NET_ADMIN; -errno. */
int xfrm_read_policies(struct xfrm_policies *policies);
void xfrm_clear_policies(struct xfrm_policies *policies);

/* Packets that a host would send or forward. Both prefixes have the same version. */
struct xfrm_flow {
	struct ip_prefix source;
	struct ip_prefix destination;
	uint8_t protocol;          /* 0: UDP and TCP */
	bool any_protocol;         /* others, too */
	uint16_t source_port;      /* 0: any */
	uint16_t destination_port; /* likewise */
	int listen_ifindex;
	int egress_ifindex;
};

/*
 * The first policy of the direction that protects or blocks some of these packets, or all. NULL: there
 * is none, or an earlier policy lets all of them pass. Pure.
 */
const struct xfrm_policy *xfrm_find_policy(const struct xfrm_policies *policies,
					   enum xfrm_direction direction,
					   const struct xfrm_flow *flow);

/* As `ip xfrm policy` shows it, in a line. Returns `text`. */
#define XFRM_POLICY_SIZE 176
const char *xfrm_policy_format(const struct xfrm_policy *policy, char *text);
/* "esp", "ah", "comp"; "block". */
const char *xfrm_policy_demand(const struct xfrm_policy *policy);

/* A policy of XFRM_MSG_GETPOLICY's answer. */
struct xfrm_message {
	struct xfrm_policy policy;
	bool foreign; /* for incoming or marked packets, or a virtual interface */
};

/* A netlink_visit whose `data` is a struct xfrm_message, zeroed by the caller. Does no I/O. */
int xfrm_parse_policy(const struct nlmsghdr *message, void *data);

#endif
