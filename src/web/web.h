/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's HTTP server: where the configuration wants it, or on its way there. */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "net/port_holder.h"
#include "web/http.h"
#include "web/pages.h"

struct web {
	struct pages *pages;
	struct http_server *server; /* NULL: nothing is served */
	char listen[80];            /* where it is to be; empty: nowhere */
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
 * Has the server leave where it is, unless that is `listen` (empty: off), and takes the address, which
 * may need privileges. What is in its way stands in web->why.
 */
void web_move(struct web *web, const char *listen);
/* Serves there, in a thread that has the privileges of this one. */
void web_serve(struct web *web);
/* Tries both again, if it has to. */
void web_retry(struct web *web);

#endif
