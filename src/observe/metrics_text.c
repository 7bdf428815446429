// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>

#include "observe/metrics_text.h"

void metrics_family(FILE *stream, const char *name, const char *type, const char *help)
{
	fprintf(stream, "# HELP " METRICS_PREFIX "%s %s\n# TYPE " METRICS_PREFIX "%s %s\n", name,
		help, name, type);
}

void metrics_gauge(FILE *stream, const char *name, double value, const char *help)
{
	metrics_family(stream, name, "gauge", help);
	fprintf(stream, METRICS_PREFIX "%s %.15g\n", name, value);
}

const char *metrics_label(const char *text, char *label, size_t size)
{
	size_t used = 0;

	for (; *text && used + 3 < size; text++) {
		if (*text == '"' || *text == '\\')
			label[used++] = '\\';
		label[used++] = isprint((unsigned char)*text) ? *text : '?';
	}
	label[used] = '\0';
	return label;
}
