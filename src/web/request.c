// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "web/request.h"

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool request_target_is_clean(const char *target)
{
	for (; *target; target++) {
		if ((unsigned char)*target <= ' ' || *target == 0x7f)
			return false;
	}
	return true;
}

/* Behind "http://" or "https://", in letters of any case; NULL: another scheme, or none. */
static const char *skip_scheme(const char *target)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
			return target + strlen(schemes[i]);
	}
	return NULL;
}

const char *request_path(const char *target)
{
	const char *authority = skip_scheme(target);
	size_t length = authority ? strcspn(authority, "/?#") : 0;

	if (*target == '/')
		return target;
	/* an empty host is invalid (RFC 9110, 4.2.1), a user name an error (4.2.4) */
	if (!length || *authority == ':' || memchr(authority, '@', length))
		return NULL;
	return authority[length] ? authority + length : "/";
}

bool request_host_is_valid(const char *value)
{
	size_t length = strspn(value, LETTERS_AND_DIGITS "-._~!$&'()*+,;=%:[]");

	/* spaces behind a value belong to the line, not to the value */
	return !value[length + strspn(value + length, " \t")];
}

bool request_header_is_valid(const char *name, const char *value)
{
	size_t length = strspn(name, LETTERS_AND_DIGITS "!#$%&'*+-.^_`|~");

	/* a bare CR ends a line for some readers (RFC 9112, 2.2) */
	return length && !name[length] && !strchr(value, '\r');
}
