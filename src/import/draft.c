// SPDX-License-Identifier: GPL-2.0-only
/* Messages about the old files, and the overrides that are made from their settings. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "config/problem.h"
#include "config/schema.h"
#include "import/draft.h"

static void import_print_message(struct import *import, struct place place, const char *kind,
				 const char *format, va_list args)
{
	printable_print(place.file, import->messages);
	if (place.line)
		fprintf(import->messages, ":%u", place.line);
	fprintf(import->messages, ": %s", kind);
	vfprintf(import->messages, format, args);
	fputc('\n', import->messages);
}

void import_complain(struct import *import, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	import_print_message(import, place, "", format, args);
	va_end(args);
	import->err = import->err ? import->err : -EINVAL;
}

void import_warn(struct import *import, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	import_print_message(import, place, "warning: ", format, args);
	va_end(args);
}

void import_add(struct import *import, struct place place, const char *path, const char *format,
		...)
{
	size_t count = import->override_count;
	struct config_override *overrides = import->overrides;
	char *value = NULL, *origin = NULL;
	va_list args;

	if ((count & (count - 1)) == 0)
		overrides = realloc(overrides, (count ? 2 * count : 1) * sizeof(*overrides));
	if (overrides)
		import->overrides = overrides;
	va_start(args, format);
	if (!overrides || vasprintf(&value, format, args) < 0 ||
	    asprintf(&origin, "%s:%u", place.file, place.line) < 0) {
		import->err = -ENOMEM;
		free(value);
	} else {
		overrides[count] = (struct config_override){path, value, origin};
		import->override_count++;
	}
	va_end(args);
}

void import_add_rule(struct import *import, struct place place, const char *port,
		     const struct ip_endpoint *target)
{
	const struct config_key *key = config_key_find("nat[].match.source_port");
	struct config_complaint complaint;
	struct nat_rule rule = {0};
	const struct config_override *known;
	char text[ADDR_TEXT_SIZE];
	size_t before = import->override_count;
	uint32_t *number;

	if (config_value_set(key, &rule, port, true, &complaint)) {
		import_complain(import, place, "source port: %s", complaint.text);
		return;
	}
	ip_endpoint_format(target, text);
	number = &import->rules[rule.source_port];
	if (!*number) {
		import_add(import, place, "nat", "%s %s", port, text);
		if (import->override_count > before)
			*number = (uint32_t)import->override_count;
		return;
	}
	known = &import->overrides[*number - 1];
	if (strcmp(strrchr(known->value, ' ') + 1, text) != 0)
		import_complain(import, place, "source port %u has another target in %s: keep one",
				rule.source_port, known->origin);
}
