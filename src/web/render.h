/* SPDX-License-Identifier: GPL-2.0-only */
/* The documents that the page is fed by: /live.json, /rules.json and /vnis.json. */
#ifndef WEB_RENDER_H
#define WEB_RENDER_H

#include <jansson.h>

#include "observe/health.h"
#include "web/http.h"
#include "web/query.h"
#include "web/watch.h"

/* What the daemon knows of itself when /live.json is made. */
struct render_state {
	const char *instance;
	struct health health;
	double condition_seconds; /* since the condition became what it is, as far as it knows */
	bool draining;
};

/* Each fills a page: 0 or -errno. */
int render_live(struct watch *watch, const struct render_state *state, struct http_page *page);
int render_rules(struct watch *watch, const struct query *query, struct http_page *page);
int render_vnis(struct watch *watch, const struct query *query, struct http_page *page);

/* The document, which it takes over, as a page of one line. */
int render_json(json_t *document, struct http_page *page);
/* A rate, to a tenth if it is small; null for NAN. */
json_t *render_rate(double rate);
/* The first of the rules or VNIs by packets a second; NULL: no memory. */
json_t *render_top_rules(const struct watch_rows *rows);
json_t *render_top_vnis(const struct watch_rows *rows);

#endif
