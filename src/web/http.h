/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small HTTP server in a thread of its own: fixed paths, GET and HEAD only, one request a
 * connection. A client that is slow, silent or malformed keeps no other waiting: it is cut off when
 * its time is up, or when connections become scarce, the oldest first. What takes long to make is made
 * by a second thread (documents.h), so that nobody who asks for something else waits for it. http.c is
 * the only file that knows libmicrohttpd.
 */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define HTTP_QUERY_SIZE 512 /* of a query, its end included; a longer one is refused */

/* What a path answers; `body` is taken over and freed. */
struct http_page {
	unsigned int status; /* RFC 9110 */
	const char *type;    /* static */
	char *body;
	size_t length;
};

struct http_path {
	const char *path;
	/*
	 * Fills the page; 0, or -errno and the client gets 500. `query`: what accepts() has accepted,
	 * else empty.
	 */
	int (*render)(void *data, const char *query, struct http_page *page);
	/* Made by the server's thread itself, anew for each client: it must not wait for anything. */
	bool at_once;
	unsigned int fresh_ms; /* a page serves all clients for so long; longer if it is costly */
	/* and for so long beyond that while the thread that makes pages is busy */
	unsigned int stale_ms;
	/*
	 * 0, or -EINVAL and a sentence for the client. NULL: a query is ignored. As it came, but for
	 * separators: NAME=VALUE joined by '&', with escapes; called by the server's thread.
	 */
	int (*accepts)(const char *query, struct error *error);
};

/* A file that is built in. Clients keep it, and ask whether it is still the same one. */
struct http_file {
	const char *path;
	const char *type;
	const unsigned char *plain, *gzip; /* the same, compressed */
	size_t plain_length, gzip_length;
};

/* What http_start() is given; lists end with an entry whose path is NULL. All stays the caller's. */
struct http_site {
	const struct http_path *paths;
	const struct http_file *files; /* NULL: none */
	void *data;
	/* Called by the thread that makes pages, every tick_ms; NULL: never. */
	void (*tick)(void *data);
	unsigned int tick_ms;
};

struct http_server;

/* Serves from now on and owns `socket`; -1: only connections given by http_adopt(). */
int http_start(struct http_server **out, int socket, const struct http_site *site,
	       struct error *error);
/* Serves a connected stream socket as if it had been accepted; owns it. 0 or -errno. */
int http_adopt(struct http_server *server, int socket);
void http_stop(struct http_server *server); /* NULL is allowed */

#endif
