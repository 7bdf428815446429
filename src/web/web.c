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

void web_close(struct web *web)
{
	if (web->fresh >= 0)
		close(web->fresh);
	http_stop(web->server);
	pages_close(web->pages);
	*web = (struct web)WEB_NONE;
}

/* Returns a socket that listens, or -errno with the words for the user. */
static int web_listen(const char *listen, struct error *error)
{
	int fd = listen_open(listen);

	if (fd == -EADDRINUSE)
		return error_set(
			error, fd,
			"http.listen: %s is in use, perhaps by another instance; give this "
			"one another port, or: http: off",
			listen);
	if (fd == -EACCES)
		return error_set(error, fd,
				 "http.listen: not permitted to listen on %s; ports below 1024 "
				 "need CAP_NET_BIND_SERVICE",
				 listen);
	if (fd < 0)
		return error_set(error, fd, "http.listen: cannot listen on %s: %s", listen,
				 strerror(-fd));
	return fd;
}

static int serve(struct web *web, int socket, const char *listen, struct error *error)
{
	struct http_site site = pages_site(web->pages);
	int err = http_start(&web->server, socket, &site, error);

	if (!err)
		snprintf(web->listen, sizeof(web->listen), "%s", listen);
	return err;
}

static void end_server(struct web *web)
{
	http_stop(web->server);
	web->server = NULL;
	*web->listen = '\0';
}

static bool same_port(const char *one, const char *other)
{
	const char *a = strrchr(one, ':'), *b = strrchr(other, ':');

	return a && b && strcmp(a, b) == 0;
}

/* The new address and the one served may be one to the kernel: 127.0.0.1:9789 and 0.0.0.0:9789. */
static int listen_in_place(struct web *web, const char *listen, struct error *error)
{
	struct error failure;
	int err;

	memcpy(web->given_up, web->listen, sizeof(web->given_up));
	end_server(web);
	web->fresh = web_listen(listen, error);
	if (web->fresh >= 0)
		return 0;
	err = web->fresh;
	return web_abort(web, &failure)
		       ? error_set(error, err, "%s; nothing is served", failure.text)
		       : err;
}

int web_prepare(struct web *web, const char *listen, struct error *error)
{
	if (!*listen || strcmp(listen, web->listen) == 0)
		return 0;
	web->fresh = web_listen(listen, error);
	if (web->fresh == -EADDRINUSE && same_port(listen, web->listen))
		return listen_in_place(web, listen, error);
	return web->fresh < 0 ? web->fresh : 0;
}

int web_commit(struct web *web, const char *listen, struct error *error)
{
	struct http_server *before = web->server;
	int socket = web->fresh, err;
	struct error ignored;

	web->fresh = -1;
	if (strcmp(listen, web->listen) == 0)
		return 0;
	if (!*listen) {
		end_server(web);
		return 0;
	}
	err = serve(web, socket, listen, error);
	if (err) {
		web_abort(web, &ignored);
		return err;
	}
	*web->given_up = '\0';
	http_stop(before);
	return 0;
}

int web_abort(struct web *web, struct error *error)
{
	char before[sizeof(web->given_up)];
	int fd;

	if (web->fresh >= 0)
		close(web->fresh);
	web->fresh = -1;
	if (!*web->given_up)
		return 0;
	memcpy(before, web->given_up, sizeof(before));
	*web->given_up = '\0';
	fd = web_listen(before, error);
	return fd < 0 ? fd : serve(web, fd, before, error);
}
