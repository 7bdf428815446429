// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/listen.h"
#include "web/web.h"

#define WANTED_FILES 4096 /* descriptors, so that clients do not take the daemon's own */

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= WANTED_FILES)
		return;
	limit.rlim_cur = limit.rlim_max < WANTED_FILES ? limit.rlim_max : WANTED_FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int web_open(struct web *web, const char *instance, struct error *error)
{
	raise_file_limit();
	return pages_open(&web->pages, instance, error);
}

static void web_stop(struct web *web)
{
	if (web->socket >= 0)
		close(web->socket);
	web->socket = -1;
	http_stop(web->server);
	web->server = NULL;
}

void web_close(struct web *web)
{
	web_stop(web);
	pages_close(web->pages);
	*web = (struct web)WEB_NONE;
}

static void web_note(struct web *web, int err)
{
	web->err = err;
	if (err)
		listen_explain(web->listen, err, &web->holder, web->why.text,
			       sizeof(web->why.text));
	else
		*web->why.text = '\0';
}

static void web_bind(struct web *web)
{
	web->socket = listen_open(web->listen);
	web_note(web, web->socket < 0 ? web->socket : 0);
}

static bool same_port(const char *one, const char *other)
{
	const char *a = strrchr(one, ':'), *b = strrchr(other, ':');

	return a && b && strcmp(a, b) == 0;
}

void web_move(struct web *web, const char *listen)
{
	struct http_server *before = web->server;

	if (strcmp(listen, web->listen) == 0)
		return;
	/* the old socket would be in the way of the new one: 127.0.0.1:9789 and 0.0.0.0:9789 */
	if (!*listen || same_port(listen, web->listen)) {
		web_stop(web);
		before = NULL;
	}
	web->server = NULL;
	snprintf(web->listen, sizeof(web->listen), "%s", listen);
	web_note(web, 0);
	if (*listen)
		web_bind(web);
	http_stop(before);
}

void web_serve(struct web *web)
{
	struct http_site site = pages_site(web->pages);
	struct error ignored;
	int socket = web->socket;

	if (socket < 0)
		return;
	web->socket = -1; /* the server's, also when it does not start */
	web_note(web, http_start(&web->server, socket, &site, &ignored));
}

void web_retry(struct web *web)
{
	if (!web->err)
		return;
	web_bind(web);
	web_serve(web);
}
