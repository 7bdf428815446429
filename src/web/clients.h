/* SPDX-License-Identifier: GPL-2.0-only */
/* The connections of the server: none lives long, and the oldest ones make room for new ones. */
#ifndef WEB_CLIENTS_H
#define WEB_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#define CLIENTS_MAX   512 /* more than that, and the oldest is cut off */
#define CLIENTS_LIMIT 768 /* cut off and not gone yet, included */

/* In the order of arrival; only the server's thread uses them. */
struct clients {
	struct client {
		int fd;        /* -1: cut off */
		int64_t since; /* CLOCK_MONOTONIC, ms */
	} list[CLIENTS_LIMIT];
	size_t count;
};

void clients_note_start(struct clients *clients, int fd);
void clients_note_end(struct clients *clients, int fd);

#endif
