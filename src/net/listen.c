// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "net/listen.h"

#define BACKLOG 4096

static socklen_t listen_fill_address(const struct ip_endpoint *endpoint,
				     struct sockaddr_storage *storage)
{
	struct sockaddr_in *ipv4 = (void *)storage;
	struct sockaddr_in6 *ipv6 = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (endpoint->address.version == 4) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(endpoint->port);
		memcpy(&ipv4->sin_addr, endpoint->address.bytes, sizeof(ipv4->sin_addr));
		return sizeof(*ipv4);
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(endpoint->port);
	memcpy(&ipv6->sin6_addr, endpoint->address.bytes, sizeof(ipv6->sin6_addr));
	return sizeof(*ipv6);
}

/* A socket that is bound to the address but does not listen yet, or -errno. */
static int listen_bind(const char *listen_on)
{
	struct sockaddr_storage address;
	struct ip_endpoint endpoint;
	socklen_t length;
	int fd, err, on = 1;

	if (ip_endpoint_parse(listen_on, &endpoint))
		return -EINVAL;
	length = listen_fill_address(&endpoint, &address);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* at boot the host may get the address only after this program has started */
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (void *)&address, length) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int listen_open(const char *listen_on)
{
	int fd = listen_bind(listen_on), err;

	if (fd < 0 || listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void listen_explain_use(const char *listen_on, struct port_holder *holder, char *text,
			       size_t size)
{
	const char *port = strrchr(listen_on, ':');
	struct ip_endpoint endpoint;

	if (ip_endpoint_parse(listen_on, &endpoint) || port_find_holder(&endpoint, holder))
		snprintf(text, size,
			 "%s is in use; ss -ltnp 'sport = %s' may say by whom, and http.listen can "
			 "name another port",
			 listen_on, port);
	else if (holder->pid)
		snprintf(text, size,
			 "%s is held by process %d (%s) of user %" PRIu32
			 "; end that, or give http.listen another port",
			 listen_on, (int)holder->pid, holder->command, holder->uid);
	else
		snprintf(text, size,
			 "%s is held by a process of user %" PRIu32
			 "; sudo ss -ltnp 'sport = %s' names it; end that, or give http.listen "
			 "another port",
			 listen_on, holder->uid, port);
}

const char *listen_explain(const char *listen_on, int err, struct port_holder *holder, char *text,
			   size_t size)
{
	if (err == -EADDRINUSE)
		listen_explain_use(listen_on, holder, text, size);
	else if (err == -EACCES)
		snprintf(text, size,
			 "not permitted to listen on %s; ports below 1024 need "
			 "CAP_NET_BIND_SERVICE when `run` starts",
			 listen_on);
	else
		snprintf(text, size, "cannot listen on %s: %s", listen_on, strerror(-err));
	return text;
}

int listen_try(const char *listen_on)
{
	int fd = listen_bind(listen_on);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}
