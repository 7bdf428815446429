/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small HTTP server in a thread of its own: fixed paths, GET and HEAD only, one request a
 * connection. A client that is slow, silent or malformed keeps no other waiting: it is cut off when
 * its time is up, or when connections become scarce, the oldest first. http.c is the only file that
 * knows libmicrohttpd.
 */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include <stddef.h>

#include "base/error.h"

/* What a path answers; `body` is taken over and freed. */
struct http_page {
	unsigned int status; /* RFC 9110 */
	const char *type;    /* static */
	char *body;
	size_t length;
};

struct http_path {
	const char *path;
	/* Fills the page, in the server's thread; 0, or -errno and the client gets 500. */
	int (*render)(void *data, struct http_page *page);
	unsigned int fresh_ms; /* a page serves all clients for so long; longer if it is costly */
};

/* What http_start() is given; paths end with one whose path is NULL. All stays the caller's. */
struct http_site {
	const struct http_path *paths;
	void *data;
};

struct http_server;

/* Serves from now on and owns `socket`; -1: only connections given by http_adopt(). */
int http_start(struct http_server **out, int socket, const struct http_site *site,
	       struct error *error);
/* Serves a connected stream socket as if it had been accepted; owns it. 0 or -errno. */
int http_adopt(struct http_server *server, int socket);
void http_stop(struct http_server *server); /* NULL is allowed */

#endif
