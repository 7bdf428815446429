/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Datagrams as the kernel sends them, and others that it does not send. Each is in a buffer of
 * exactly its length, so that the sanitizer sees reads behind its end.
 */
#ifndef UNIT_NET_DATAGRAM_H
#define UNIT_NET_DATAGRAM_H

#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "tests/unit/unit.h"

#define SEQUENCE 7
#define PORT     4711

/* Messages one after the other. */
struct datagram {
	char bytes[1024];
	size_t length;
};

static inline struct nlmsghdr *add_message(struct datagram *datagram, uint16_t type,
					   const void *payload, size_t size)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(datagram->bytes + datagram->length);

	message->nlmsg_type = type;
	message->nlmsg_seq = SEQUENCE;
	message->nlmsg_pid = PORT;
	memcpy(mnl_nlmsg_put_extra_header(message, size), payload, size);
	datagram->length += message->nlmsg_len;
	return message;
}

static inline struct nlmsghdr *add_route(struct datagram *datagram)
{
	const struct rtmsg route = {.rtm_family = AF_INET, .rtm_type = RTN_UNICAST};

	return add_message(datagram, RTM_NEWROUTE, &route, sizeof(route));
}

/* Copies the first `length` bytes; only the padding that libmnl counts in follows them. */
static inline char *copy_of(const void *bytes, size_t length)
{
	char *copy = calloc(1, length ? MNL_ALIGN(length) : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	return copy;
}

#endif
