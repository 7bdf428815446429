// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "daemon/notify.h"

#define PATIENCE_MS 100

/* Reads $NOTIFY_SOCKET: a path, or '@' and an abstract name. 0: unset, or another kind of address. */
static socklen_t notify_address(struct sockaddr_un *address)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t length = name ? strlen(name) : 0;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length < 2 || length >= sizeof(address->sun_path) || (*name != '/' && *name != '@'))
		return 0;
	memcpy(address->sun_path, name, length);
	if (*name == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* sd_notify() would block until the service manager has read the messages before. */
void notify_manager(const char *format, ...)
{
	struct sockaddr_un address;
	socklen_t size = notify_address(&address);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!size)
		sd_notify(0, text);
	/* on a connected socket poll(2) tells whether the receiver has room */
	else if (fd >= 0 && connect(fd, (void *)&address, size) == 0 &&
		 poll(&ready, 1, PATIENCE_MS) > 0)
		send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}
