/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's HTTP server: moves to where the configuration wants it, or keeps trying. */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "net/port_holder.h"
#include "web/http.h"
#include "web/pages.h"

struct web {
	struct pages *pages;
	struct http_server *server; /* NULL: nothing is served */
	char listen[80];            /* the address that the configuration wants; empty: off */
	int socket;                 /* that listens there and is not served yet, or -1 */
	int err;                    /* why it is not served there; 0: it is, or is not to be */
	struct error why;           /* the same in words; empty when `err` is 0 */
	struct port_holder holder;  /* who is known to have been in the way last */
};

#define WEB_NONE             \
	{                    \
		.socket = -1 \
	}

int web_open(struct web *web, const char *instance, struct error *error);
void web_close(struct web *web);

/*
 * Opens the socket at `listen` (empty: HTTP is off), which may need privileges, and ends the server at
 * the address before. On failure web->why says why.
 */
void web_move(struct web *web, const char *listen);
/* Starts the server on that socket. Its thread inherits the privileges of the caller. */
void web_serve(struct web *web);
/* Tries both again if they failed. */
void web_retry(struct web *web);

#endif
