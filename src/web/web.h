/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's HTTP server over start and reloads, each of which may move it. */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "web/http.h"
#include "web/pages.h"

struct web {
	struct pages *pages;
	struct http_server *server; /* NULL: http.listen is off */
	char listen[80];            /* where it listens; empty: nowhere */
	char given_up[80];          /* where it did, until the change under way needed its place */
	int fresh;                  /* the socket of a change under way, or -1 */
};

#define WEB_NONE            \
	{                   \
		.fresh = -1 \
	}

int web_open(struct web *web, const char *instance, struct error *error);
void web_close(struct web *web);

/* Makes sure that `listen` (empty: off) can be had, before anything else changes. 0 or -errno. */
int web_prepare(struct web *web, const char *listen, struct error *error);
/* Serves there, what was prepared being in force. 0 or -errno: then what was served before goes on, if it can. */
int web_commit(struct web *web, const char *listen, struct error *error);
/* What was served before goes on. 0 or -errno: then nothing is served. */
int web_abort(struct web *web, struct error *error);

#endif
