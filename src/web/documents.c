// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "web/documents.h"

#define REST       4 /* a document serves at least so many times the CPU time that it took */
#define MAX_DOCS   (DOCUMENTS_MAX_PATHS + DOCUMENTS_MAX_QUERIES)
#define LARGE      (1 << 20) /* bytes: a larger one is not kept for nobody */
#define FORGET_MS  10000     /* since somebody last asked for it */
#define NO_TICK_MS 5000      /* how often it is looked for what to forget, where nothing ticks */

struct document {
	size_t path;
	char query[HTTP_QUERY_SIZE];
	bool used;
	void *packed; /* the newest; NULL: none yet, or the last try failed */
	size_t size;  /* bytes */
	unsigned int status;
	int err;           /* of the last try */
	int64_t stale_at;  /* CLOCK_MONOTONIC, ms; 0: never made */
	int64_t asked_at;  /* likewise: last */
	int64_t wanted_at; /* likewise: since when it is to be made; 0: it is not */
	unsigned int waiters;
};

struct waiter {
	void *client;
	struct document *document;
	bool resumed; /* the document has been made, or could not be */
};

struct documents {
	struct http_site site;
	const struct documents_server *server;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wanted;
	bool ending;
	struct document *making;    /* NULL: the thread has nothing to do */
	int64_t queries_rest_until; /* CLOCK_MONOTONIC, ms; see REST */
	/* the document of each path without a query at the path's place, then those with one */
	struct document docs[MAX_DOCS];
	struct waiter waiters[DOCUMENTS_MAX_CLIENTS];
	size_t waiter_count;
};

static int64_t cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * 1000000000LL + used.tv_nsec;
}

static const struct http_path *path_of(const struct documents *documents,
				       const struct document *document)
{
	return &documents->site.paths[document->path];
}

static bool has_query(const struct documents *documents, const struct document *document)
{
	return document >= &documents->docs[DOCUMENTS_MAX_PATHS];
}

static void document_forget(struct documents *documents, struct document *document)
{
	if (document->packed)
		documents->server->discard(document->packed);
	memset(document, 0, sizeof(*document));
}

/* ---- the thread that makes them ---- */

/* The one that is wanted for the longest; NULL: none is, or those have to wait. */
static struct document *next_wanted(struct documents *documents, int64_t now)
{
	struct document *first = NULL;

	for (size_t i = 0; i < MAX_DOCS; i++) {
		struct document *document = &documents->docs[i];

		if (!document->wanted_at ||
		    (has_query(documents, document) && now < documents->queries_rest_until))
			continue;
		if (!first || document->wanted_at < first->wanted_at)
			first = document;
	}
	return first;
}

/* When the thread has to look again, though nobody asks meanwhile. */
static int64_t documents_next_look(const struct documents *documents, int64_t now, int64_t tick_at)
{
	for (size_t i = DOCUMENTS_MAX_PATHS; i < MAX_DOCS; i++) {
		if (documents->docs[i].wanted_at && now < documents->queries_rest_until &&
		    documents->queries_rest_until < tick_at)
			return documents->queries_rest_until;
	}
	return tick_at;
}

static void resume_waiters(struct documents *documents, const struct document *document)
{
	for (size_t i = 0; i < documents->waiter_count; i++) {
		struct waiter *waiter = &documents->waiters[i];

		if ((document && waiter->document != document) || waiter->resumed)
			continue;
		waiter->resumed = true;
		documents->server->resume(waiter->client);
	}
}

/* Makes one, without the lock, and puts it in the place of the one before. */
static void document_make(struct documents *documents, struct document *document)
{
	const struct http_path *path = path_of(documents, document);
	struct http_page page = {.status = 200};
	int64_t took = cpu_ns(), rest_ms;
	void *packed = NULL;
	size_t size;
	int err;

	documents->making = document;
	pthread_mutex_unlock(&documents->lock);
	err = path->render(documents->site.data, document->query, &page);
	size = page.length;
	if (err)
		free(page.body);
	else
		packed = documents->server->pack(&page);
	rest_ms = (cpu_ns() - took) * REST / 1000000;
	pthread_mutex_lock(&documents->lock);
	documents->making = NULL;
	if (document->packed)
		documents->server->discard(document->packed);
	document->packed = packed;
	document->size = size;
	document->status = page.status;
	document->err = err || packed ? err : -ENOMEM;
	document->stale_at = clock_ms() + (rest_ms > path->fresh_ms ? rest_ms : path->fresh_ms);
	document->wanted_at = 0;
	if (has_query(documents, document))
		documents->queries_rest_until = clock_ms() + rest_ms;
	resume_waiters(documents, document);
}

/* Gives back the memory of what nobody has asked for lately: of a document, and of what made it. */
static void forget_unasked(struct documents *documents)
{
	bool any = false;

	for (size_t i = 0; i < MAX_DOCS; i++) {
		struct document *document = &documents->docs[i];

		if (!document->packed || document->waiters || document->wanted_at ||
		    clock_ms() - document->asked_at < FORGET_MS ||
		    (document->size < LARGE && !has_query(documents, document)))
			continue;
		any |= document->size >= LARGE;
		document_forget(documents, document);
	}
	if (any)
		malloc_trim(0);
}

static void documents_sleep(struct documents *documents, int64_t until)
{
	struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

	pthread_cond_timedwait(&documents->wanted, &documents->lock, &at);
}

static int64_t documents_tick(struct documents *documents)
{
	forget_unasked(documents);
	if (!documents->site.tick)
		return clock_ms() + NO_TICK_MS;
	pthread_mutex_unlock(&documents->lock);
	documents->site.tick(documents->site.data);
	pthread_mutex_lock(&documents->lock);
	return clock_ms() + documents->site.tick_ms;
}

static void *documents_run(void *data)
{
	struct documents *documents = data;
	int64_t tick_at = 0;

	pthread_mutex_lock(&documents->lock);
	while (!documents->ending) {
		int64_t now = clock_ms();
		struct document *document = next_wanted(documents, now);

		if (now >= tick_at)
			tick_at = documents_tick(documents);
		else if (document)
			document_make(documents, document);
		else
			documents_sleep(documents, documents_next_look(documents, now, tick_at));
	}
	pthread_mutex_unlock(&documents->lock);
	return NULL;
}

/* ---- who asks for them ---- */

/* The waiter of a client that was resumed; NULL: it has come anew. */
static struct waiter *find_waiter(struct documents *documents, const void *client)
{
	for (size_t i = 0; i < documents->waiter_count; i++) {
		if (documents->waiters[i].client == client)
			return &documents->waiters[i];
	}
	return NULL;
}

/* The document of a query, or a place for it; NULL: all places are of those that clients wait for. */
static struct document *find_document(struct documents *documents, size_t path, const char *query)
{
	struct document *place = NULL;

	if (!*query) {
		documents->docs[path].path = path;
		return &documents->docs[path];
	}
	for (size_t i = DOCUMENTS_MAX_PATHS; i < MAX_DOCS; i++) {
		struct document *document = &documents->docs[i];

		if (document->used && document->path == path && strcmp(document->query, query) == 0)
			return document;
		if (!document->waiters && !document->wanted_at && document != documents->making &&
		    (!place || document->asked_at < place->asked_at))
			place = document;
	}
	if (place) {
		document_forget(documents, place);
		place->used = true;
		place->path = path;
		snprintf(place->query, sizeof(place->query), "%s", query);
	}
	return place;
}

static enum documents_answer document_give(const struct documents *documents,
					   const struct document *document, void *client,
					   int *result)
{
	*result = document->err;
	if (document->err)
		return DOCUMENTS_FAILED;
	*result = documents->server->give(client, document->status, document->packed);
	return DOCUMENTS_GIVEN;
}

static enum documents_answer await(struct documents *documents, struct document *document,
				   void *client)
{
	if (documents->waiter_count == DOCUMENTS_MAX_CLIENTS)
		return DOCUMENTS_BUSY;
	documents->waiters[documents->waiter_count++] =
		(struct waiter){.client = client, .document = document};
	document->waiters++;
	documents->server->suspend(client);
	return DOCUMENTS_WAITS;
}

static enum documents_answer ask_anew(struct documents *documents, size_t path, const char *query,
				      void *client, int *result)
{
	struct document *document = find_document(documents, path, query);
	int64_t now = clock_ms();

	if (!document)
		return DOCUMENTS_BUSY;
	document->asked_at = now;
	if (now < document->stale_at)
		return document_give(documents, document, client, result);
	if (!document->wanted_at) {
		document->wanted_at = now;
		pthread_cond_signal(&documents->wanted);
	}
	if (documents->making && document->packed &&
	    now < document->stale_at + path_of(documents, document)->stale_ms)
		return document_give(documents, document, client, result);
	return await(documents, document, client);
}

static void end_waiting(struct documents *documents, struct waiter *waiter)
{
	waiter->document->waiters--;
	*waiter = documents->waiters[--documents->waiter_count];
}

enum documents_answer documents_ask(struct documents *documents, size_t path, const char *query,
				    void *client, int *result)
{
	enum documents_answer answer;
	struct waiter *waiter;

	pthread_mutex_lock(&documents->lock);
	waiter = find_waiter(documents, client);
	if (documents->ending) {
		answer = DOCUMENTS_BUSY;
	} else if (waiter) {
		answer = document_give(documents, waiter->document, client, result);
		end_waiting(documents, waiter);
	} else {
		answer = ask_anew(documents, path, query, client, result);
	}
	pthread_mutex_unlock(&documents->lock);
	return answer;
}

void documents_leave(struct documents *documents, const void *client)
{
	struct waiter *waiter;

	pthread_mutex_lock(&documents->lock);
	waiter = find_waiter(documents, client);
	if (waiter)
		end_waiting(documents, waiter);
	pthread_mutex_unlock(&documents->lock);
}

int documents_start(struct documents **out, const struct http_site *site,
		    const struct documents_server *server)
{
	struct documents *documents = calloc(1, sizeof(*documents));
	pthread_condattr_t monotonic;
	int err;

	if (!documents)
		return -ENOMEM;
	documents->site = *site;
	documents->server = server;
	pthread_mutex_init(&documents->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&documents->wanted, &monotonic);
	pthread_condattr_destroy(&monotonic);
	err = pthread_create(&documents->thread, NULL, documents_run, documents);
	if (err) {
		documents_free(documents);
		return -err;
	}
	*out = documents;
	return 0;
}

void documents_end(struct documents *documents)
{
	pthread_mutex_lock(&documents->lock);
	documents->ending = true;
	pthread_cond_signal(&documents->wanted);
	pthread_mutex_unlock(&documents->lock);
	pthread_join(documents->thread, NULL);
	pthread_mutex_lock(&documents->lock);
	resume_waiters(documents, NULL);
	pthread_mutex_unlock(&documents->lock);
}

void documents_free(struct documents *documents)
{
	if (!documents)
		return;
	for (size_t i = 0; i < MAX_DOCS; i++)
		document_forget(documents, &documents->docs[i]);
	pthread_cond_destroy(&documents->wanted);
	pthread_mutex_destroy(&documents->lock);
	free(documents);
}
