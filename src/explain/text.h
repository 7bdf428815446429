/* SPDX-License-Identifier: GPL-2.0-only */
/* Explanations for people. */
#ifndef EXPLAIN_TEXT_H
#define EXPLAIN_TEXT_H

#include <stdio.h>

#include "explain/explain.h"

struct explain_text {
	FILE *stream;
	bool color;
	uint32_t mtu; /* of the way out: what is larger is fragmented */
};

void explain_text_begin(const struct explain_text *text, const char *file,
			const struct config *config);
void explain_text_packet(const struct explain_text *text, const struct explanation *explanation);
void explain_text_end(const struct explain_text *text, const struct explain_totals *totals);

#endif
