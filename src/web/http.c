// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "web/http.h"
#include "web/request.h"

#define MAX_PATHS     8
#define MAX_CLIENTS   512   /* more than that, and the oldest is cut off */
#define HARD_LIMIT    768   /* cut off and not gone yet, included */
#define LIFETIME_MS   10000 /* of a connection, however busy */
#define IDLE_S        5
#define CLIENT_MEMORY 16384 /* bytes; a request that needs more is refused */
#define REST          4     /* a page serves at least so many times the CPU time that it took */

struct client {
	int fd;
	int64_t since; /* CLOCK_MONOTONIC, ms */
};

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_site site;
	struct {
		struct MHD_Response *response; /* the newest page; NULL: none yet */
		unsigned int status;
		int64_t stale_at;
	} pages[MAX_PATHS];
	/* in the order of arrival; only the server's thread uses them */
	struct client clients[HARD_LIMIT];
	size_t client_count;
};

static int64_t cpu_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * 1000LL + used.tv_nsec / 1000000;
}

/* A connection that is shut down is closed by the library; until then its descriptor stays taken. */
static void cut_off(struct client *client)
{
	if (client->fd >= 0)
		shutdown(client->fd, SHUT_RDWR);
	client->fd = -1;
}

static void forget(struct http_server *server, int fd)
{
	size_t kept = 0;

	for (size_t i = 0; i < server->client_count; i++) {
		if (server->clients[i].fd != fd)
			server->clients[kept++] = server->clients[i];
	}
	server->client_count = kept;
}

static void client_came(struct http_server *server, int fd)
{
	int64_t now = clock_ms();
	size_t live = 0;

	for (size_t i = 0; i < server->client_count; i++) {
		if (now - server->clients[i].since > LIFETIME_MS)
			cut_off(&server->clients[i]);
		live += server->clients[i].fd >= 0;
	}
	for (size_t i = 0; live >= MAX_CLIENTS && i < server->client_count; i++) {
		live -= server->clients[i].fd >= 0;
		cut_off(&server->clients[i]);
	}
	forget(server, -1);
	if (server->client_count < HARD_LIMIT)
		server->clients[server->client_count++] = (struct client){.fd = fd, .since = now};
}

static void note_connection(void *data, struct MHD_Connection *connection, void **context,
			    enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	(void)context;
	if (!info)
		return;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		client_came(data, info->connect_fd);
	else
		forget(data, info->connect_fd);
}

static struct MHD_Response *make_response(const struct http_page *page)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(page->length, page->body, MHD_RESPMEM_MUST_FREE);

	if (!response)
		return NULL;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'self'; style-src 'unsafe-inline'");
	return response;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int status,
			      const char *text)
{
	struct http_page page = {.type = "text/plain; charset=utf-8",
				 .body = strdup(text),
				 .length = strlen(text)};
	struct MHD_Response *response = page.body ? make_response(&page) : NULL;
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* How long a page serves: what is asked for all the time takes no more than a part of a CPU. */
static int64_t page_lifetime(const struct http_path *path, int64_t took)
{
	return took * REST > path->fresh_ms ? took * REST : path->fresh_ms;
}

/* The newest page of a path, made anew when it is too old. */
static int refresh(struct http_server *server, size_t number)
{
	const struct http_path *path = &server->site.paths[number];
	struct http_page page = {.status = MHD_HTTP_OK};
	int64_t began = cpu_ms(), took;
	struct MHD_Response *response;
	int err;

	if (server->pages[number].response && clock_ms() < server->pages[number].stale_at)
		return 0;
	err = path->render(server->site.data, &page);
	if (err) {
		free(page.body);
		return err;
	}
	response = make_response(&page);
	if (!response) {
		free(page.body);
		return -ENOMEM;
	}
	took = cpu_ms() - began;
	if (server->pages[number].response)
		MHD_destroy_response(server->pages[number].response);
	server->pages[number].response = response;
	server->pages[number].status = page.status;
	server->pages[number].stale_at = clock_ms() + page_lifetime(path, took);
	return 0;
}

/*
 * Called with the whole request target, query included, before the library takes it apart. Returns
 * the request's context: what is behind the target, or NULL for a target that is malformed.
 */
static void *note_target(void *data, const char *target, struct MHD_Connection *connection)
{
	(void)data;
	(void)connection;
	return target && request_target_is_clean(target) ? (void *)(target + strlen(target) + 1)
							 : NULL;
}

/*
 * The library reads a request line into a buffer and ends each of its words with a zero byte. So the
 * next word stands right behind that, unless the client wrote a zero byte, which hides the rest of
 * the word from us, or several spaces.
 */
static bool is_next_word(const char *behind, const char *next)
{
	uintptr_t between = (uintptr_t)next - (uintptr_t)behind;

	return !between || between >= CLIENT_MEMORY; /* far away: no buffer in common */
}

/* `target_end`: what note_target() returned */
static bool request_line_is_valid(const char *method, const char *url, const char *target_end,
				  const char *version)
{
	return target_end && is_next_word(method + strlen(method) + 1, url) &&
	       is_next_word(target_end, version);
}

struct header_check {
	unsigned int hosts;
	bool malformed;
};

static enum MHD_Result check_header(void *data, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct header_check *check = data;

	(void)kind;
	if (!request_header_is_valid(name, value ? value : ""))
		check->malformed = true;
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
		check->hosts++;
		check->malformed |= !request_host_is_valid(value ? value : "");
	}
	return MHD_YES;
}

/* Every request has one valid Host at the most, and later ones than HTTP/1.0 have one. */
static bool headers_are_valid(struct MHD_Connection *connection, const char *version)
{
	struct header_check check = {0};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, check_header, &check);
	return !check.malformed &&
	       (check.hosts == 1 || (!check.hosts && strcmp(version, MHD_HTTP_VERSION_1_0) == 0));
}

static enum MHD_Result answer_path(struct http_server *server, struct MHD_Connection *connection,
				   const char *path)
{
	char why[128];
	int err;

	for (size_t i = 0; server->site.paths[i].path; i++) {
		if (strcmp(path, server->site.paths[i].path) != 0)
			continue;
		err = refresh(server, i);
		if (!err)
			return MHD_queue_response(connection, server->pages[i].status,
						  server->pages[i].response);
		snprintf(why, sizeof(why), "the state of the instance cannot be read: %s\n",
			 strerror(-err));
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, why);
	}
	return refuse(connection, MHD_HTTP_NOT_FOUND, "not found\n");
}

static enum MHD_Result answer(void *data, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, /* NOLINT(readability-non-const-parameter) */
			      void **context)
{
	const char *path = request_path(url);

	(void)upload;
	(void)upload_size;
	if (!request_line_is_valid(method, url, *context, version))
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "malformed request line\n");
	if (!headers_are_valid(connection, version))
		return refuse(connection, MHD_HTTP_BAD_REQUEST,
			      "malformed headers, or not one Host among them\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (!path)
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "malformed request target\n");
	return answer_path(data, connection, path);
}

/* Paths are compared as they came: no path that is served has anything to unescape. */
static size_t leave_escaped(void *data, struct MHD_Connection *connection, char *text)
{
	(void)data;
	(void)connection;
	return strlen(text);
}

int http_start(struct http_server **out, int socket, const struct http_site *site,
	       struct error *error)
{
	struct http_server *server = calloc(1, sizeof(*server));
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)note_connection, server},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)note_target, NULL},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, HARD_LIMIT, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CLIENT_MEMORY, NULL},
		{socket < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET, socket, NULL},
		{MHD_OPTION_END, 0, NULL},
	};

	if (!server) {
		if (socket >= 0)
			close(socket);
		return error_set(error, -ENOMEM, "no memory");
	}
	server->site = *site;
	if (socket < 0)
		flags |= MHD_USE_NO_LISTEN_SOCKET;
	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, server, MHD_OPTION_ARRAY,
					  options, MHD_OPTION_END);
	if (!server->daemon) {
		if (socket >= 0)
			close(socket);
		free(server);
		return error_set(error, -EIO, "http.listen: the server does not start");
	}
	*out = server;
	return 0;
}

int http_adopt(struct http_server *server, int socket)
{
	struct sockaddr address = {.sa_family = AF_UNIX};

	if (MHD_add_connection(server->daemon, socket, &address, sizeof(address)) == MHD_YES)
		return 0;
	return -errno; /* the library has closed the socket */
}

void http_stop(struct http_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	for (size_t i = 0; i < MAX_PATHS; i++) {
		if (server->pages[i].response)
			MHD_destroy_response(server->pages[i].response);
	}
	free(server);
}
