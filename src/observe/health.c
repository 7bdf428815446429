// SPDX-License-Identifier: GPL-2.0-only
/* The reasons why an instance is not well, as a list. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "observe/health.h"

const char *health_severity_name(enum health_severity severity)
{
	static const char *const names[] = {
		[HEALTH_GOOD] = "good",
		[HEALTH_DEGRADED] = "degraded",
		[HEALTH_BAD] = "bad",
	};

	return names[severity];
}

/* Makes room for a reason; NULL: all that are there are as bad. */
static struct health_reason *health_find_room(struct health *health, enum health_severity severity)
{
	if (health->count < HEALTH_MAX_REASONS)
		return &health->reasons[health->count++];
	for (size_t i = health->count; i-- > 0;) {
		if (health->reasons[i].severity < severity)
			return &health->reasons[i];
	}
	return NULL;
}

void health_add(struct health *health, enum health_severity severity, const char *format, ...)
{
	struct health_reason *reason = health_find_room(health, severity);
	va_list args;

	if (!reason)
		return;
	reason->severity = severity;
	va_start(args, format);
	vsnprintf(reason->text, sizeof(reason->text), format, args);
	va_end(args);
}

enum health_severity health_condition(const struct health *health)
{
	enum health_severity worst = HEALTH_GOOD;

	for (size_t i = 0; i < health->count; i++) {
		if (health->reasons[i].severity > worst)
			worst = health->reasons[i].severity;
	}
	return worst;
}

const char *health_worst_reason(const struct health *health)
{
	enum health_severity worst = health_condition(health);

	for (size_t i = 0; i < health->count; i++) {
		if (health->reasons[i].severity == worst)
			return health->reasons[i].text;
	}
	return NULL;
}

/* Past a word that is a number, "530" or "1.7", but no address. */
static const char *skip_number(const char *word)
{
	size_t length = strspn(word, "0123456789");

	if (length && word[length] == '.')
		length += 1 + strspn(word + length + 1, "0123456789");
	return word[length] == ' ' || !word[length] ? word + length : word;
}

/* But for their numbers: those of packets and seconds change all the time. */
static bool same_reason(const char *a, const char *b)
{
	bool at_word = true;

	for (;; a++, b++) {
		if (at_word) {
			a = skip_number(a);
			b = skip_number(b);
		}
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		at_word = *a == ' ';
	}
}

bool health_same_reasons(const struct health *a, const struct health *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (a->reasons[i].severity != b->reasons[i].severity ||
		    !same_reason(a->reasons[i].text, b->reasons[i].text))
			return false;
	}
	return a->count == b->count;
}

void health_reason_constant(const struct health_reason *reason, char *text, size_t size)
{
	const char *from = reason->text;
	bool at_word = true;
	size_t used = 0;

	while (*from && used + 1 < size) {
		const char *behind = at_word ? skip_number(from) : from;

		at_word = behind == from && *from == ' ';
		text[used++] = behind > from ? 'N' : *from;
		from = behind > from ? behind : from + 1;
	}
	text[used] = '\0';
}
