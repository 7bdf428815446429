/* SPDX-License-Identifier: GPL-2.0-only */
/* What makes a request HTTP (RFC 9110, RFC 9112), as far as the library lets anything pass. */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <stdbool.h>

/* No space and no control character, which no request target has. */
bool request_target_is_clean(const char *target);

/*
 * The path of a target without its query: itself, or what follows the authority in the absolute form,
 * http://HOST/PATH; points into `target` or is "/". NULL: neither form.
 */
const char *request_path(const char *target);

/* `value` of a Host header: HOST, HOST:PORT or nothing. */
bool request_host_is_valid(const char *value);

/* The name of any header: a token, without the space before a colon by which requests are smuggled. */
bool request_header_is_valid(const char *name, const char *value);

/* `accepted`: Accept-Encoding (RFC 9110, 12.5.3). "gzip;q=0" means no. */
bool request_accepts_gzip(const char *accepted);

/* Is `tag`, a strong one in its quotes, in a list of If-None-Match (RFC 9110, 13.1.2)? */
bool request_names_tag(const char *list, const char *tag);

#endif
