// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>

#include "net/netlink.h"

#define LIST_TRIES  5
#define BUFFER_SIZE 32768 /* the kernel's longest datagram */

struct netlink {
	struct mnl_socket *socket;
	unsigned int sequence;
	char buffer[BUFFER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

int netlink_open(struct netlink **out, int protocol, int flags)
{
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	int err;

	if (!netlink)
		return -ENOMEM;
	netlink->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC | flags);
	if (!netlink->socket || mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		netlink_close(netlink);
		return err;
	}
	*out = netlink;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return mnl_socket_get_fd(netlink->socket);
}

void *netlink_begin(union netlink_request *request, uint16_t type, uint16_t flags, size_t size)
{
	mnl_nlmsg_put_header(request->bytes);
	request->message.nlmsg_type = type;
	request->message.nlmsg_flags = NLM_F_REQUEST | flags;
	return mnl_nlmsg_put_extra_header(&request->message, size);
}

/*
 * libmnl ignores what follows a truncated message, and takes lengths above 2 GiB for negative ones.
 */
static bool netlink_is_whole(const void *datagram, size_t length)
{
	const struct nlmsghdr *message = datagram;
	int left = (int)length;

	do {
		if (left < (int)sizeof(*message) || message->nlmsg_len < sizeof(*message) ||
		    message->nlmsg_len > (unsigned int)left)
			return false;
		message = mnl_nlmsg_next(message, &left);
	} while (left > 0);
	return true;
}

/* A list that the kernel could not finish ends with an error, which libmnl does not look at. */
static int netlink_done_error(const void *datagram, size_t length)
{
	const struct nlmsghdr *message = datagram;
	int left = (int)length, err = 0;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_type == NLMSG_DONE &&
		    mnl_nlmsg_get_payload_len(message) >= sizeof(err))
			memcpy(&err, mnl_nlmsg_get_payload(message), sizeof(err));
	}
	return err < 0 ? err : 0;
}

int netlink_take(const void *datagram, size_t length, unsigned int sequence, unsigned int port,
		 netlink_visit visit, void *data)
{
	int result;

	if (!netlink_is_whole(datagram, length))
		return -EBADMSG;
	/* the rest of the answer to an earlier request, whose visitor stopped early */
	if (!mnl_nlmsg_seq_ok(datagram, sequence))
		return 1;
	result = netlink_done_error(datagram, length);
	if (result)
		return result;
	result = mnl_cb_run(datagram, length, sequence, port, visit, data);
	if (result < MNL_CB_STOP)
		return -errno;
	return result > MNL_CB_STOP;
}

/* Receives a datagram into the buffer. Its length, or -errno. */
static ssize_t netlink_receive(struct netlink *netlink)
{
	ssize_t length;

	do
		length = mnl_socket_recvfrom(netlink->socket, netlink->buffer, BUFFER_SIZE);
	while (length < 0 && errno == EINTR); /* by a signal */
	if (length >= 0)
		return length;
	/* ENOSPC is libmnl's word for a datagram that is longer */
	return errno == ENOSPC ? -EMSGSIZE : -errno;
}

/* Sends messages with the socket's present sequence number, and reads the answers to them. */
static int netlink_exchange(struct netlink *netlink, const void *messages, size_t length,
			    netlink_visit visit, void *data)
{
	unsigned int port = mnl_socket_get_portid(netlink->socket);
	int result = 1;

	if (mnl_socket_sendto(netlink->socket, messages, length) < 0)
		return -errno;
	while (result > 0) {
		ssize_t received = netlink_receive(netlink);

		if (received < 0)
			return (int)received;
		result = netlink_take(netlink->buffer, received, netlink->sequence, port, visit,
				      data);
	}
	return result;
}

int netlink_ask(struct netlink *netlink, union netlink_request *request, netlink_visit visit,
		void *data)
{
	request->message.nlmsg_seq = ++netlink->sequence;
	return netlink_exchange(netlink, request, request->message.nlmsg_len, visit, data);
}

int netlink_ask_list(struct netlink *netlink, union netlink_request *request, netlink_visit visit,
		     void *data)
{
	int err = -EINTR;

	for (int tries = 0; err == -EINTR && tries < LIST_TRIES; tries++)
		err = netlink_ask(netlink, request, visit, data);
	return err;
}

int netlink_ask_batch(struct netlink *netlink, void *messages, size_t length)
{
	struct nlmsghdr *message = messages;
	int left = (int)length;

	netlink->sequence++;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		message->nlmsg_seq = netlink->sequence;
	return netlink_exchange(netlink, messages, length, NULL, NULL);
}

int netlink_read(struct netlink *netlink, netlink_visit visit, void *data)
{
	ssize_t length = netlink_receive(netlink);
	int result;

	if (length < 0)
		return (int)length;
	result = netlink_take(netlink->buffer, length, 0, 0, visit, data);
	return result < 0 ? result : 0;
}

const void *netlink_header(const struct nlmsghdr *message, size_t size)
{
	if (mnl_nlmsg_get_payload_len(message) >= size)
		return mnl_nlmsg_get_payload(message);
	errno = EBADMSG;
	return NULL;
}

bool netlink_get(const struct nlattr *attribute, void *value, size_t size)
{
	if (mnl_attr_get_payload_len(attribute) != size)
		return false;
	memcpy(value, mnl_attr_get_payload(attribute), size);
	return true;
}
