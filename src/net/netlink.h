/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests to the kernel over netlink, and its answers. Functions return 0 or -errno. */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>

#include "base/cleanup.h"

struct netlink; /* a socket and its receive buffer */

/*
 * `protocol`: NETLINK_x; `flags`: 0 or SOCK_NONBLOCK. On failure *out is untouched. Only one thread
 * may use a socket at a time.
 */
int netlink_open(struct netlink **out, int protocol, int flags);
void netlink_close(struct netlink *netlink); /* NULL is allowed */
int netlink_fd(const struct netlink *netlink);

static inline void cleanup_netlink(struct netlink **netlink)
{
	netlink_close(*netlink);
}

#define _cleanup_netlink_ _cleanup_(cleanup_netlink)

/*
 * Netlink's header, the header of the request's kind, and attributes:
 * mnl_attr_put(&request.message, ...). Larger than any request here: their longest attributes are
 * names of interfaces.
 */
union netlink_request {
	struct nlmsghdr message;
	char bytes[1024];
};

/* Returns the header of the kind, zeroed, `size` bytes. NLM_F_REQUEST need not be in `flags`. */
void *netlink_begin(union netlink_request *request, uint16_t type, uint16_t flags, size_t size);

/*
 * libmnl's mnl_cb_t. Returns MNL_CB_OK to get the next message, MNL_CB_STOP to get no more, or
 * MNL_CB_ERROR with errno.
 */
typedef int (*netlink_visit)(const struct nlmsghdr *message, void *data);

/*
 * Sends a request, and calls `visit` for every message of the answer until it stops or the answer
 * ends. `visit` may be NULL if the request only asks for NLM_F_ACK. -EINTR also means that a table
 * changed while the kernel listed it.
 */
int netlink_ask(struct netlink *netlink, union netlink_request *request, netlink_visit visit,
		void *data);
/*
 * The same for a list (NLM_F_DUMP), asked for again if a change interrupts it: what was visited already is
 * visited again.
 */
int netlink_ask_list(struct netlink *netlink, union netlink_request *request, netlink_visit visit,
		     void *data);

/*
 * Sends messages that the kernel carries out as one transaction, as nftables does. The last but one
 * must ask for NLM_F_ACK. 0, or -errno of the first that failed, and nothing was carried out.
 */
int netlink_ask_batch(struct netlink *netlink, void *messages, size_t length);

/* Calls `visit` for the events of one datagram. -ENOBUFS: the kernel had to drop some. */
int netlink_read(struct netlink *netlink, netlink_visit visit, void *data);

/*
 * Calls `visit` for the messages of one datagram that answers request `sequence` of socket `port`;
 * both are 0 for events, which answer no request. 1: more datagrams follow, or this one belongs to an
 * earlier request; 0: the answer is complete; -EBADMSG: a message is truncated.
 */
int netlink_take(const void *datagram, size_t length, unsigned int sequence, unsigned int port,
		 netlink_visit visit, void *data);

/* The header behind netlink's own; NULL and EBADMSG in errno: the message has not `size` bytes. */
const void *netlink_header(const struct nlmsghdr *message, size_t size);

/* Copies an attribute's value. False, and nothing is copied: it has another size. */
bool netlink_get(const struct nlattr *attribute, void *value, size_t size);

#endif
