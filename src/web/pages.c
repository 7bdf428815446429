// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "instance/instance.h"
#include "instance/drained.h"
#include "observe/loss.h"
#include "observe/metrics.h"
#include "observe/stats.h"
#include "web/assets.h"
#include "web/pages.h"
#include "web/render.h"

struct pages {
	char instance[INSTANCE_NAME_MAX + 1];
	struct watch watch;
	pthread_mutex_t lock; /* of what follows */
	struct health health;
	int64_t alive_at;        /* CLOCK_MONOTONIC, ms; 0: not judged yet */
	int64_t condition_since; /* likewise: of `health` */
	int64_t reloaded_at;
	bool reload_failed;
};

/* Everything a page may want, read at one time. */
struct view {
	struct datapath_stats stats;
	struct datapath_condition condition;
	struct loss_table losses;
	struct metrics metrics;
	struct health health;
	struct process_usage process;
};

static void add_stall(struct health *health, int64_t alive_at)
{
	int64_t age = clock_ms() - alive_at;

	if (!alive_at)
		health_add(health, HEALTH_BAD, "starting");
	else if (age > HEALTH_STALLED_MS)
		health_add(health, HEALTH_BAD, "the control loop has stalled for %.1f s",
			   age / 1e3);
}

/* `since`, which may be NULL: CLOCK_MONOTONIC, ms, when the condition became what it is. */
static struct health current_health(struct pages *pages, int64_t *since)
{
	enum health_severity judged;
	struct health health;

	pthread_mutex_lock(&pages->lock);
	health = pages->health;
	judged = health_condition(&health);
	add_stall(&health, pages->alive_at);
	if (since)
		*since = health_condition(&health) == judged ? pages->condition_since
							     : pages->alive_at;
	pthread_mutex_unlock(&pages->lock);
	return health;
}

static void view_clear(struct view *view)
{
	datapath_stats_clear(&view->stats);
	loss_table_clear(&view->losses);
}

static int view_read(struct pages *pages, struct view *view)
{
	struct error ignored;
	int err;

	memset(view, 0, sizeof(*view));
	err = datapath_read(pages->instance, &view->stats, &ignored);
	if (!err)
		err = datapath_inspect(pages->instance, &view->condition, &ignored);
	if (!err)
		err = loss_collect(&view->losses, &view->stats.counters, &view->condition,
				   &ignored);
	if (err) {
		view_clear(view);
		return err;
	}
	view->health = current_health(pages, NULL);
	view->metrics = (struct metrics){.stats = &view->stats,
					 .condition = &view->condition,
					 .losses = &view->losses,
					 .health = &view->health,
					 .daemon_running = true,
					 .draining = instance_is_drained(pages->instance)};
	if (process_read_usage(getpid(), &view->process) == 0)
		view->metrics.process = &view->process;
	pthread_mutex_lock(&pages->lock);
	view->metrics.reloaded_at = pages->reloaded_at;
	view->metrics.reload_failed = pages->reload_failed;
	pthread_mutex_unlock(&pages->lock);
	return 0;
}

static int page_health(void *data, const char *query, struct http_page *page)
{
	struct health health = current_health(data, NULL);
	FILE *stream = open_memstream(&page->body, &page->length);

	(void)query;
	if (!stream)
		return -errno;
	page->type = "text/plain; charset=utf-8";
	page->status = health_condition(&health) == HEALTH_BAD ? 503 : 200;
	if (!health.count)
		fputs("healthy\n", stream);
	for (size_t i = 0; i < health.count; i++)
		fprintf(stream, "%s\n", health.reasons[i].text);
	return fclose(stream) ? -ENOMEM : 0;
}

static int page_metrics(void *data, const char *query, struct http_page *page)
{
	struct view view;
	FILE *stream;
	int err = view_read(data, &view);

	(void)query;
	if (err)
		return err;
	page->type = "text/plain; version=0.0.4; charset=utf-8";
	stream = open_memstream(&page->body, &page->length);
	if (stream)
		metrics_print(&view.metrics, stream);
	view_clear(&view);
	return !stream || fclose(stream) ? -ENOMEM : 0;
}

/* For the moment until the daemon has pinned again what somebody took away. */
static int page_absence(const struct pages *pages, struct http_page *page)
{
	json_t *document =
		json_pack("{s:s, s:s}", "instance", pages->instance, "error",
			  "its counters are not to be found under /sys/fs/bpf at this moment");

	page->status = 503;
	page->type = "application/json";
	page->body = document ? json_dumps(document, JSON_INDENT(2)) : NULL;
	page->length = page->body ? strlen(page->body) : 0;
	json_decref(document);
	return page->body ? 0 : -ENOMEM;
}

static int page_stats(void *data, const char *query, struct http_page *page)
{
	struct pages *pages = data;
	struct view view;
	json_t *document;
	int err = view_read(pages, &view);

	(void)query;
	if (err)
		return err;
	if (view.stats.state == DATAPATH_ABSENT) {
		view_clear(&view);
		return page_absence(pages, page);
	}
	document = stats_json(&(struct stats_view){.instance = pages->instance,
						   .stats = &view.stats,
						   .condition = &view.condition,
						   .health = &view.health,
						   .losses = &view.losses});
	view_clear(&view);
	page->type = "application/json";
	page->body =
		document ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
	page->length = page->body ? strlen(page->body) : 0;
	json_decref(document);
	return page->body ? 0 : -ENOMEM;
}

static int page_live(void *data, const char *query, struct http_page *page)
{
	struct pages *pages = data;
	int64_t since;
	struct render_state state = {.instance = pages->instance,
				     .health = current_health(pages, &since),
				     .draining = instance_is_drained(pages->instance)};

	(void)query;
	state.condition_seconds = since ? (double)(clock_ms() - since) / 1e3 : 0;
	return render_live(&pages->watch, &state, page);
}

static int accepts_rules(const char *text, struct error *error)
{
	struct query query;

	return query_parse(&query, text, "rule", error);
}

static int page_rules(void *data, const char *text, struct http_page *page)
{
	struct pages *pages = data;
	struct query query;
	struct error ignored;
	int err = query_parse(&query, text, "rule", &ignored);

	return err ? err : render_rules(&pages->watch, &query, page);
}

static int accepts_vnis(const char *text, struct error *error)
{
	struct query query;

	return query_parse(&query, text, "vni", error);
}

static int page_vnis(void *data, const char *text, struct http_page *page)
{
	struct pages *pages = data;
	struct query query;
	struct error ignored;
	int err = query_parse(&query, text, "vni", &ignored);

	return err ? err : render_vnis(&pages->watch, &query, page);
}

/* A viewer asks once a second, and not to the millisecond. */
#define LIVE_MS 900

static const struct http_path paths[] = {
	{"/healthz", page_health, .at_once = true},
	{"/metrics", page_metrics, .fresh_ms = 500},
	{"/stats.json", page_stats, .fresh_ms = 500},
	{"/live.json", page_live, .fresh_ms = LIVE_MS, .stale_ms = 2000},
	{"/rules.json", page_rules, .fresh_ms = LIVE_MS, .stale_ms = 2000,
	 .accepts = accepts_rules},
	{"/vnis.json", page_vnis, .fresh_ms = LIVE_MS, .stale_ms = 2000, .accepts = accepts_vnis},
	{0},
};

static void pages_tick(void *data)
{
	struct pages *pages = data;

	watch_tick(&pages->watch);
}

struct http_site pages_site(struct pages *pages)
{
	return (struct http_site){.paths = paths,
				  .files = web_assets,
				  .data = pages,
				  .tick = pages_tick,
				  .tick_ms = WATCH_TICK_MS};
}

int pages_open(struct pages **out, const char *instance, struct error *error)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	if (!pages)
		return error_set(error, -ENOMEM, "no memory");
	pthread_mutex_init(&pages->lock, NULL);
	snprintf(pages->instance, sizeof(pages->instance), "%s", instance);
	watch_begin(&pages->watch, pages->instance);
	*out = pages;
	return 0;
}

void pages_close(struct pages *pages)
{
	if (!pages)
		return;
	watch_end(&pages->watch);
	pthread_mutex_destroy(&pages->lock);
	free(pages);
}

void pages_publish(struct pages *pages, const struct health *health)
{
	int64_t now = clock_ms();

	pthread_mutex_lock(&pages->lock);
	if (!pages->alive_at || health_condition(health) != health_condition(&pages->health))
		pages->condition_since = now;
	pages->health = *health;
	pages->alive_at = now;
	pthread_mutex_unlock(&pages->lock);
}

void pages_note_alive(struct pages *pages)
{
	pthread_mutex_lock(&pages->lock);
	if (pages->alive_at)
		pages->alive_at = clock_ms();
	pthread_mutex_unlock(&pages->lock);
}

void pages_note_reload(struct pages *pages, bool failed)
{
	pthread_mutex_lock(&pages->lock);
	pages->reloaded_at = time(NULL);
	pages->reload_failed = failed;
	pthread_mutex_unlock(&pages->lock);
}
