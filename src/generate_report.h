/* SPDX-License-Identifier: GPL-2.0-only */
/* What `generate` prints of a run, as text or as one JSON document. */
#ifndef GENERATE_REPORT_H
#define GENERATE_REPORT_H

#include <stdio.h>

#include "generator.h"

void generate_report_sent(const struct generator_options *options,
			  const struct generator_report *report, bool json, FILE *stream);

#endif
