/* SPDX-License-Identifier: GPL-2.0-only */
/* The form of Prometheus text, version 0.0.4: families, and values of labels. */
#ifndef OBSERVE_METRICS_TEXT_H
#define OBSERVE_METRICS_TEXT_H

#include <stdio.h>

#define METRICS_PREFIX "vxlan_pipeline_"

#define METRICS_LABEL_SIZE 40 /* holds every interface's name, escaped */

/* Begins a family: `type` is counter, gauge or histogram. */
void metrics_family(FILE *stream, const char *name, const char *type, const char *help);
/* A family of one series without labels. */
void metrics_gauge(FILE *stream, const char *name, double value, const char *help);

/*
 * Escapes a text that others have named. A byte that is no printable ASCII would spoil the scrape: it becomes
 * a question mark. Returns `label`.
 */
const char *metrics_label(const char *text, char *label, size_t size);

#endif
