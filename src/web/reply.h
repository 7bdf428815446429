/* SPDX-License-Identifier: GPL-2.0-only */
/* What goes back to a client of the server, with the headers that all answers have. */
#ifndef WEB_REPLY_H
#define WEB_REPLY_H

#include <microhttpd.h>

#include "web/http.h"

/* Takes the page's body over, also on failure. NULL: no memory. */
struct MHD_Response *reply_make(const struct http_page *page);
/* Answers with a response that nobody else is answered with, and takes it over; NULL is allowed. */
enum MHD_Result reply_once(struct MHD_Connection *connection, unsigned int status,
			   struct MHD_Response *response);
enum MHD_Result reply_refuse(struct MHD_Connection *connection, unsigned int status,
			     const char *text);
/* The file as the client takes it, or that it is the one that the client has. */
enum MHD_Result reply_file(struct MHD_Connection *connection, const struct http_file *file);

#endif
