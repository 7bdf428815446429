/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Documents that a thread of its own makes, one after the other. Each serves all who ask while it is
 * fresh, and one that was costly to make serves longer. So they cost the same whoever asks for them and
 * however often, and the thread that asks never waits.
 */
#ifndef WEB_DOCUMENTS_H
#define WEB_DOCUMENTS_H

#include "web/http.h"

#define DOCUMENTS_MAX_PATHS   12
#define DOCUMENTS_MAX_QUERIES 16  /* kept at one time, beside those of paths without one */
#define DOCUMENTS_MAX_CLIENTS 768 /* that wait at one time */

/* What the server does for the documents. */
struct documents_server {
	/* Packs a page as it is kept and given out, and takes its body over; NULL: no memory. */
	void *(*pack)(struct http_page *page);
	void (*discard)(void *packed);
	/* Answers a client with it. */
	int (*give)(void *client, unsigned int status, void *packed);
	/* Lets a client wait until it is resumed: then the server asks for it again. */
	void (*suspend)(void *client);
	void (*resume)(void *client);
};

struct documents;

/* 0 or -errno. All that it is given stays the caller's. */
int documents_start(struct documents **out, const struct http_site *site,
		    const struct documents_server *server);
/* Ends the thread and resumes who waits; from then on all is busy. */
void documents_end(struct documents *documents);
void documents_free(struct documents *documents); /* after that; NULL is allowed */

/* What became of a client that asked. */
enum documents_answer {
	DOCUMENTS_GIVEN,  /* `result` is what give() said */
	DOCUMENTS_FAILED, /* `result` is the -errno of what makes the document */
	DOCUMENTS_WAITS,
	DOCUMENTS_BUSY, /* too many wait, or for too many different queries; or the server ends */
};

/* Answers a client with the document of a path, or lets it wait for it. */
enum documents_answer documents_ask(struct documents *documents, size_t path, const char *query,
				    void *client, int *result);
/* The client is gone, and another one may get its address. */
void documents_leave(struct documents *documents, const void *client);

#endif
