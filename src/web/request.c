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

/* Is the weight of an encoding, "q=0.5", zero? */
static bool weighs_nothing(const char *parameters, size_t length)
{
	const char *weight = memmem(parameters, length, "q=", 2);

	return weight && strspn(weight + 2, "0.") == length - (size_t)(weight + 2 - parameters);
}

bool request_accepts_gzip(const char *accepted)
{
	while (*accepted) {
		size_t length, word;

		accepted += strspn(accepted, ", \t");
		length = strcspn(accepted, ",");
		word = strcspn(accepted, "; \t,");
		while (length && strchr(" \t", accepted[length - 1]))
			length--;
		if (word == 4 && strncasecmp(accepted, "gzip", 4) == 0)
			return !weighs_nothing(accepted + word, length - word);
		accepted += strcspn(accepted, ",");
	}
	return false;
}

bool request_names_tag(const char *list, const char *tag)
{
	const char *found = strstr(list, tag);

	return found || strcmp(list, "*") == 0;
}
