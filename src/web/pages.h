/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon answers over HTTP. The control loop publishes how the instance is; the server's
 * thread reads that, and the thread that makes documents the rest from what is pinned, as `stats` does.
 */
#ifndef WEB_PAGES_H
#define WEB_PAGES_H

#include <stdbool.h>

#include "observe/health.h"
#include "web/http.h"

struct pages;

int pages_open(struct pages **out, const char *instance, struct error *error);
void pages_close(struct pages *pages); /* NULL is allowed; no server uses them any more */

/* What http_start() serves. */
struct http_site pages_site(struct pages *pages);

/*
 * Gives the pages the control loop's latest judgement. If neither this function nor pages_note_alive() is
 * called for HEALTH_STALLED_MS, /healthz says that the loop has stalled.
 */
void pages_publish(struct pages *pages, const struct health *health);
/* A sign of life between two judgements, from a loop that has something else to do. */
void pages_note_alive(struct pages *pages);
/* A reload was tried just now. */
void pages_note_reload(struct pages *pages, bool failed);

#endif
