// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "web/clients.h"
#include "web/documents.h"
#include "web/http.h"
#include "web/reply.h"
#include "web/request.h"

#define IDLE_S        5
#define CLIENT_MEMORY 16384 /* bytes; a request that needs more is refused */

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_site site;
	struct documents *documents;
	struct clients clients;
};

static void note_connection(void *data, struct MHD_Connection *connection, void **context,
			    enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_server *server = data;

	(void)context;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		documents_leave(server->documents, connection);
	if (!info)
		return;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		clients_note_start(&server->clients, info->connect_fd);
	else
		clients_note_end(&server->clients, info->connect_fd);
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

/* ---- documents, which documents.c makes and keeps ---- */

static void *pack_document(struct http_page *page)
{
	return reply_make(page);
}

static void discard_document(void *packed)
{
	MHD_destroy_response(packed);
}

static int give_document(void *client, unsigned int status, void *packed)
{
	return MHD_queue_response(client, status, packed);
}

static void suspend_client(void *client)
{
	MHD_suspend_connection(client);
}

static void resume_client(void *client)
{
	MHD_resume_connection(client);
}

static const struct documents_server documents_server = {pack_document, discard_document,
							 give_document, suspend_client,
							 resume_client};

static enum MHD_Result refuse_failure(struct MHD_Connection *connection, int err)
{
	char why[128];

	snprintf(why, sizeof(why), "the state of the instance cannot be read: %s\n",
		 strerror(-err));
	return reply_refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, why);
}

/* A query, put together again from what the library has made of it. */
struct query_text {
	char text[HTTP_QUERY_SIZE];
	size_t length;
};

static enum MHD_Result collect_query(void *data, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	struct query_text *query = data;

	(void)kind;
	query->length += snprintf(query->text + query->length, sizeof(query->text) - query->length,
				  "%s%s%s%s", query->length ? "&" : "", name ? name : "",
				  value ? "=" : "", value ? value : "");
	if (query->length < sizeof(query->text))
		return MHD_YES;
	query->length = sizeof(query->text);
	return MHD_NO;
}

static enum MHD_Result answer_document(struct http_server *server,
				       struct MHD_Connection *connection, size_t number)
{
	const struct http_path *path = &server->site.paths[number];
	struct query_text query = {0};
	struct error why;
	char line[sizeof(why.text) + 1];
	int result;

	if (path->accepts) {
		MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, collect_query, &query);
		if (query.length == sizeof(query.text))
			return reply_refuse(connection, MHD_HTTP_BAD_REQUEST,
					    "the query is too long\n");
		if (path->accepts(query.text, &why)) {
			snprintf(line, sizeof(line), "%s\n", why.text);
			return reply_refuse(connection, MHD_HTTP_BAD_REQUEST, line);
		}
	}
	switch (documents_ask(server->documents, number, query.text, connection, &result)) {
	case DOCUMENTS_GIVEN:
		return (enum MHD_Result)result;
	case DOCUMENTS_FAILED:
		return refuse_failure(connection, result);
	case DOCUMENTS_WAITS:
		return MHD_YES;
	default:
		return reply_refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "busy: try again\n");
	}
}

static enum MHD_Result answer_at_once(struct http_server *server, struct MHD_Connection *connection,
				      const struct http_path *path)
{
	struct http_page page = {.status = MHD_HTTP_OK};
	int err = path->render(server->site.data, "", &page);

	if (!err)
		return reply_once(connection, page.status, reply_make(&page));
	free(page.body);
	return refuse_failure(connection, err);
}

static enum MHD_Result answer_path(struct http_server *server, struct MHD_Connection *connection,
				   const char *path)
{
	const struct http_site *site = &server->site;

	for (size_t i = 0; site->files && site->files[i].path; i++) {
		if (strcmp(path, site->files[i].path) == 0)
			return reply_file(connection, &site->files[i]);
	}
	for (size_t i = 0; site->paths[i].path; i++) {
		if (strcmp(path, site->paths[i].path) != 0)
			continue;
		return site->paths[i].at_once ? answer_at_once(server, connection, &site->paths[i])
					      : answer_document(server, connection, i);
	}
	return reply_refuse(connection, MHD_HTTP_NOT_FOUND, "not found\n");
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
		return reply_refuse(connection, MHD_HTTP_BAD_REQUEST, "malformed request line\n");
	if (!headers_are_valid(connection, version))
		return reply_refuse(connection, MHD_HTTP_BAD_REQUEST,
				    "malformed headers, or not one Host among them\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply_refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (!path)
		return reply_refuse(connection, MHD_HTTP_BAD_REQUEST, "malformed request target\n");
	return answer_path(data, connection, path);
}

/* Paths are compared as they came: no path that is served has anything to unescape. */
static size_t leave_escaped(void *data, struct MHD_Connection *connection, char *text)
{
	(void)data;
	(void)connection;
	return strlen(text);
}

static int start_daemon(struct http_server *server, int socket)
{
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC |
			     MHD_ALLOW_SUSPEND_RESUME | (socket < 0 ? MHD_USE_NO_LISTEN_SOCKET : 0);
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)note_connection, server},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)note_target, NULL},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, CLIENTS_LIMIT, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CLIENT_MEMORY, NULL},
		{socket < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET, socket, NULL},
		{MHD_OPTION_END, 0, NULL},
	};

	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, server, MHD_OPTION_ARRAY,
					  options, MHD_OPTION_END);
	return server->daemon ? 0 : -EIO;
}

int http_start(struct http_server **out, int socket, const struct http_site *site,
	       struct error *error)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int err = -ENOMEM;

	if (server) {
		server->site = *site;
		err = documents_start(&server->documents, site, &documents_server);
	}
	if (!err) {
		err = start_daemon(server, socket);
		if (err)
			documents_end(server->documents);
	}
	if (!err) {
		*out = server;
		return 0;
	}
	if (socket >= 0)
		close(socket);
	documents_free(server ? server->documents : NULL);
	free(server);
	return error_set(error, err, "http.listen: the server does not start: %s", strerror(-err));
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
	documents_end(server->documents); /* nobody may be waiting when the library ends */
	MHD_stop_daemon(server->daemon);
	documents_free(server->documents);
	free(server);
}
