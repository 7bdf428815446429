/* SPDX-License-Identifier: GPL-2.0-only */
/* Explanations for programs: one JSON document, written packet by packet. */
#ifndef EXPLAIN_JSON_H
#define EXPLAIN_JSON_H

#include <stdio.h>

#include "explain/explain.h"

/* Call begin, packet for each, end; the memory needed is that of one packet. */
void explain_json_begin(FILE *stream, const char *file);
/* -ENOMEM, or 0; what cannot be written shows in ferror(stream). */
int explain_json_packet(FILE *stream, const struct explanation *explanation);
/* `problem` (NULL: none) says why the packets end early. */
int explain_json_end(FILE *stream, const struct explain_totals *totals, const char *problem);

#endif
