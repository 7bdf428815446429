// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/fnv.h"
#include "web/reply.h"
#include "web/request.h"

/* The page brings all that it needs, and nothing that it shows can make a browser ask elsewhere. */
#define POLICY                                                                                  \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src " \
	"data:; "                                                                               \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static void reply_add_headers(struct MHD_Response *response, const char *type, const char *caching)
{
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, caching);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Content-Security-Policy", POLICY);
}

struct MHD_Response *reply_make(const struct http_page *page)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(page->length, page->body, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(page->body);
		return NULL;
	}
	reply_add_headers(response, page->type, "no-store");
	return response;
}

enum MHD_Result reply_once(struct MHD_Connection *connection, unsigned int status,
			   struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result reply_refuse(struct MHD_Connection *connection, unsigned int status,
			     const char *text)
{
	struct http_page page = {.type = "text/plain; charset=utf-8",
				 .body = strdup(text),
				 .length = strlen(text)};
	struct MHD_Response *response = page.body ? reply_make(&page) : NULL;

	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (response && status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	return reply_once(connection, status, response);
}

/* The same for as long as the file is; of each encoding another one (RFC 9110, 8.8.3). */
static void file_tag(const struct http_file *file, bool gzip, char *tag, size_t size)
{
	snprintf(tag, size, "\"%08x-%zx%s\"", fnv1a(file->gzip, file->gzip_length),
		 file->plain_length, gzip ? "-gzip" : "");
}

enum MHD_Result reply_file(struct MHD_Connection *connection, const struct http_file *file)
{
	const char *accepted = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							   MHD_HTTP_HEADER_ACCEPT_ENCODING);
	const char *had = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						      MHD_HTTP_HEADER_IF_NONE_MATCH);
	bool gzip = accepted && request_accepts_gzip(accepted), same;
	struct MHD_Response *response;
	char tag[48];

	file_tag(file, gzip, tag, sizeof(tag));
	same = had && request_names_tag(had, tag);
	response = MHD_create_response_from_buffer(
		same ? 0 : (gzip ? file->gzip_length : file->plain_length),
		(void *)(gzip ? file->gzip : file->plain), MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	/* kept, but asked for each time whether another version of the program serves another one */
	reply_add_headers(response, file->type, "no-cache");
	MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag);
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	if (gzip)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	return reply_once(connection, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}
