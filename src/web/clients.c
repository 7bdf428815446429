// SPDX-License-Identifier: GPL-2.0-only
#include <sys/socket.h>

#include "base/clock.h"
#include "web/clients.h"

#define LIFETIME_MS 10000 /* of a connection, however busy */

/* A connection that is shut down is closed by the library; until then its descriptor stays taken. */
static void cut_off(struct client *client)
{
	if (client->fd >= 0)
		shutdown(client->fd, SHUT_RDWR);
	client->fd = -1;
}

void clients_note_end(struct clients *clients, int fd)
{
	size_t kept = 0;

	for (size_t i = 0; i < clients->count; i++) {
		if (clients->list[i].fd != fd)
			clients->list[kept++] = clients->list[i];
	}
	clients->count = kept;
}

void clients_note_start(struct clients *clients, int fd)
{
	int64_t now = clock_ms();
	size_t live = 0;

	for (size_t i = 0; i < clients->count; i++) {
		if (now - clients->list[i].since > LIFETIME_MS)
			cut_off(&clients->list[i]);
		live += clients->list[i].fd >= 0;
	}
	for (size_t i = 0; live >= CLIENTS_MAX && i < clients->count; i++) {
		live -= clients->list[i].fd >= 0;
		cut_off(&clients->list[i]);
	}
	clients_note_end(clients, -1);
	if (clients->count < CLIENTS_LIMIT)
		clients->list[clients->count++] = (struct client){.fd = fd, .since = now};
}
