/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints the report of a run of `generate`, as text or as one JSON document. */
#ifndef CLI_GENERATE_REPORT_H
#define CLI_GENERATE_REPORT_H

#include <stdio.h>

#include "generate/generator.h"
#include "generate/receiver.h"

void generate_report_sent(const struct generator_options *options,
			  const struct generator_report *report, bool json, FILE *stream);

/* The receiver's report; `expected`: how many packets were sent, 0 if that is not known. */
void generate_report_received(const char *interface, const struct receiver_report *report,
			      uint64_t expected, bool json, FILE *stream);

#endif
