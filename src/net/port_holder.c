// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "net/netlink.h"
#include "net/port_holder.h"

#define PATIENCE_MS 200
#define LISTENING   10 /* the kernel's TCP_LISTEN, which its user-space headers lack */

/* The search, and the socket that it has found. */
struct holder_search {
	const struct ip_endpoint *endpoint;
	uint32_t uid;
	uint32_t inode;
	bool found;
	bool listens;
};

static bool holder_is_any(const void *address, size_t size)
{
	static const uint8_t zeros[16];

	return memcmp(address, zeros, size) == 0;
}

/* Does this socket keep another one from the endpoint? One bound to :: may take IPv4 as well. */
static bool holder_collides(const struct inet_diag_msg *socket, const struct ip_endpoint *endpoint)
{
	bool is_ipv6 = socket->idiag_family == AF_INET6;
	size_t size = is_ipv6 ? 16 : 4;

	if (holder_is_any(socket->id.idiag_src, size))
		return is_ipv6 || endpoint->address.version == 4;
	if (is_ipv6 != (endpoint->address.version == 6))
		return false;
	return holder_is_any(endpoint->address.bytes, size) ||
	       memcmp(socket->id.idiag_src, endpoint->address.bytes, size) == 0;
}

static int holder_take_socket(const struct nlmsghdr *message, void *data)
{
	const struct inet_diag_msg *socket = netlink_header(message, sizeof(*socket));
	struct holder_search *search = data;

	if (!socket)
		return MNL_CB_ERROR;
	/* prefer one that listens; one without an inode belongs to no process any more */
	if (!socket->idiag_inode || search->listens || !holder_collides(socket, search->endpoint))
		return MNL_CB_OK;
	search->found = true;
	search->listens = socket->idiag_state == LISTENING;
	search->uid = socket->idiag_uid;
	search->inode = socket->idiag_inode;
	return MNL_CB_OK;
}

static int holder_find_socket(struct netlink *netlink, int family, struct holder_search *search)
{
	union netlink_request request;
	struct inet_diag_req_v2 *question =
		netlink_begin(&request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(*question));

	question->sdiag_family = (uint8_t)family;
	question->sdiag_protocol = IPPROTO_TCP;
	question->idiag_states = ~0U;
	question->id.idiag_sport = htons(search->endpoint->port);
	return netlink_ask(netlink, &request, holder_take_socket, search);
}

/* Does the process have the socket open? */
static bool holder_has_socket(int process, uint32_t inode)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	char wanted[32], target[32];
	struct dirent *entry;
	bool found = false;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
	while (!found && (entry = readdir(directory))) {
		ssize_t length = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	closedir(directory);
	return found;
}

static void holder_read_command(int process, char *command, size_t size)
{
	_cleanup_close_ int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, command, size - 1);

	command[length > 0 ? length : 0] = '\0';
	command[strcspn(command, "\n")] = '\0';
}

static void holder_find_process(struct port_holder *holder)
{
	const int64_t deadline = clock_ms() + PATIENCE_MS;
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	while (processes && !holder->pid && (entry = readdir(processes)) && clock_ms() < deadline) {
		_cleanup_close_ int process = -1;

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		process =
			openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0 || !holder_has_socket(process, holder->inode))
			continue;
		holder->pid = (pid_t)strtol(entry->d_name, NULL, 10);
		holder_read_command(process, holder->command, sizeof(holder->command));
	}
	if (processes)
		closedir(processes);
}

int port_find_holder(const struct ip_endpoint *endpoint, struct port_holder *holder)
{
	struct holder_search search = {.endpoint = endpoint};
	_cleanup_netlink_ struct netlink *netlink = NULL;
	int err = netlink_open(&netlink, NETLINK_SOCK_DIAG, 0);

	if (!err)
		err = holder_find_socket(netlink, AF_INET, &search);
	if (!err && !search.listens)
		err = holder_find_socket(netlink, AF_INET6, &search);
	if (!err && !search.found)
		err = -ENOENT;
	if (err)
		return err;
	if (holder->inode == search.inode)
		return 0;
	*holder = (struct port_holder){.inode = search.inode, .uid = search.uid};
	holder_find_process(holder);
	return 0;
}
