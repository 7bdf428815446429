// SPDX-License-Identifier: GPL-2.0-only
/* Documents that take long, fail, or are asked for with a query: who waits for them, and who does not. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "web/http.h"

#define CLIENTS 40

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* render_slow() goes through it */
static volatile int slow_begun, slow_made, changing_made, failing_made, query_made;

static int fill(struct http_page *page, const char *text, int number)
{
	page->type = "text/plain";
	page->length = (size_t)asprintf(&page->body, "%s %d\n", text, number);
	return 0;
}

static int render_slow(void *data, const char *query, struct http_page *page)
{
	(void)data;
	(void)query;
	slow_begun++;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return fill(page, "slow", ++slow_made);
}

static int render_at_once(void *data, const char *query, struct http_page *page)
{
	(void)data;
	(void)query;
	return fill(page, "at once", 0);
}

static int render_changing(void *data, const char *query, struct http_page *page)
{
	(void)data;
	(void)query;
	return fill(page, "changing", ++changing_made);
}

static int render_failing(void *data, const char *query, struct http_page *page)
{
	(void)data;
	(void)query;
	(void)page;
	failing_made++;
	return -EBUSY; /* not to be taken for a server that is */
}

static int render_query(void *data, const char *query, struct http_page *page)
{
	(void)data;
	query_made++;
	return fill(page, query, 0);
}

static int accepts(const char *query, struct error *error)
{
	return strstr(query, "bad") ? error_set(error, -EINVAL, "the query is bad") : 0;
}

static const struct http_path paths[] = {
	{"/slow", render_slow, .fresh_ms = 60000},
	{"/slow_again", render_slow, .fresh_ms = 0},
	{"/at_once", render_at_once, .at_once = true},
	{"/changing", render_changing, .fresh_ms = 0},
	{"/may_be_stale", render_changing, .stale_ms = 60000},
	{"/failing", render_failing, .fresh_ms = 60000},
	{"/query", render_query, .fresh_ms = 60000, .accepts = accepts},
	{0},
};

static struct http_server *start(void)
{
	const struct http_site site = {.paths = paths};
	struct http_server *server;
	struct error error;

	slow_begun = slow_made = changing_made = failing_made = query_made = 0;
	assert_int_equal(http_start(&server, -1, &site, &error), 0);
	return server;
}

/* Asks for a path; the answer is read by take(). */
static int ask(struct http_server *server, const char *path)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(http_adopt(server, ends[1]), 0);
	assert_true(dprintf(ends[0], "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path) > 0);
	return ends[0];
}

/* The status and the body of an answer, as "200 slow 1". */
static const char *take(int client, char *text, size_t size)
{
	char answer[4096];
	size_t used = 0;
	ssize_t got;
	const char *body;

	while ((got = read(client, answer + used, sizeof(answer) - 1 - used)) > 0)
		used += (size_t)got;
	close(client);
	answer[used] = '\0';
	body = strstr(answer, "\r\n\r\n");
	if (!body)
		fail_msg("no answer: %s", answer);
	snprintf(text, size, "%.3s %s", answer + strlen("HTTP/1.1 "), body + 4);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void gets(struct http_server *server, const char *path, const char *expected)
{
	char text[1024];

	assert_string_equal(take(ask(server, path), text, sizeof(text)), expected);
}

/* Waits until a document is being made that can only be finished when the gate opens. */
static int begin_slow(struct http_server *server, const char *path)
{
	int begun = slow_begun, client;

	pthread_mutex_lock(&gate);
	client = ask(server, path);
	for (int i = 0; slow_begun == begun && i < 1000; i++)
		poll(NULL, 0, 10);
	assert_int_equal(slow_begun, begun + 1);
	return client;
}

static void nobody_else_waits(void **state)
{
	struct http_server *server = start();
	char text[1024];
	int client = begin_slow(server, "/slow"), other;

	(void)state;
	gets(server, "/at_once", "200 at once 0");
	gets(server, "/nothing", "404 not found");
	gets(server, "/query?bad", "400 the query is bad");
	other = ask(server, "/changing");
	gets(server, "/at_once", "200 at once 0");
	assert_int_equal(slow_made, 0);
	assert_int_equal(changing_made, 0);
	pthread_mutex_unlock(&gate);
	assert_string_equal(take(client, text, sizeof(text)), "200 slow 1");
	assert_string_equal(take(other, text, sizeof(text)), "200 changing 1");
	http_stop(server);
}

static void one_for_all(void **state)
{
	struct http_server *server = start();
	int clients[CLIENTS];
	char text[1024];

	(void)state;
	clients[0] = begin_slow(server, "/slow");
	for (int i = 1; i < CLIENTS; i++)
		clients[i] = ask(server, "/slow");
	gets(server, "/at_once", "200 at once 0"); /* by then the others have been taken in */
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < CLIENTS; i++)
		assert_string_equal(take(clients[i], text, sizeof(text)), "200 slow 1");
	http_stop(server);
}

/* While something else is being made, a document may serve though it is stale, if its path allows that. */
static void stale_meanwhile(void **state)
{
	struct http_server *server = start();
	char text[1024];
	int client;

	(void)state;
	gets(server, "/may_be_stale", "200 changing 1");
	poll(NULL, 0, 5);
	gets(server, "/may_be_stale", "200 changing 2");
	poll(NULL, 0, 5);
	client = begin_slow(server, "/slow");
	gets(server, "/may_be_stale", "200 changing 2");
	assert_int_equal(slow_made, 0);
	pthread_mutex_unlock(&gate);
	take(client, text, sizeof(text));
	poll(NULL, 0, 5);
	take(ask(server, "/may_be_stale"), text, sizeof(text));
	assert_string_not_equal(text, "200 changing 2");
	http_stop(server);
}

static void failures(void **state)
{
	struct http_server *server = start();

	(void)state;
	for (int i = 0; i < 3; i++)
		gets(server, "/failing",
		     "500 the state of the instance cannot be read: Device or resource busy");
	assert_int_equal(failing_made, 1);
	http_stop(server);
}

/* A client that leaves while it waits leaves nothing behind that another one could run into. */
static void leaving(void **state)
{
	struct http_server *server = start();
	char text[1024];
	int client = begin_slow(server, "/slow_again");

	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		close(ask(server, "/slow"));
	gets(server, "/at_once", "200 at once 0");
	pthread_mutex_unlock(&gate);
	assert_string_equal(take(client, text, sizeof(text)), "200 slow 1");
	for (int i = 0; i < CLIENTS; i++)
		gets(server, "/changing",
		     (snprintf(text, sizeof(text), "200 changing %d", i + 1), text));
	http_stop(server);
}

static void *open_gate_later(void *data)
{
	(void)data;
	poll(NULL, 0, 100);
	pthread_mutex_unlock(&gate);
	return NULL;
}

/* The end of the server answers those who wait. */
static void ending(void **state)
{
	struct http_server *server = start();
	int client = begin_slow(server, "/slow"), other = ask(server, "/changing");
	char text[1024];
	pthread_t opener;

	(void)state;
	gets(server, "/at_once", "200 at once 0");
	assert_int_equal(pthread_create(&opener, NULL, open_gate_later, NULL), 0);
	http_stop(server);
	pthread_join(opener, NULL);
	/* answered, or told that it ends: never left waiting */
	while (read(client, text, sizeof(text)) > 0)
		;
	while (read(other, text, sizeof(text)) > 0)
		;
	close(client);
	close(other);
}

static void with_queries(void **state)
{
	static const struct {
		const char *sentence;
		const char *path;
		const char *answer;
		int made; /* all in all */
	} rows[] = {
		{"without a query", "/query", "200  0", 1},
		{"an empty query is none", "/query?", "200  0", 1},
		{"a query has a document of its own", "/query?a=b", "200 a=b 0", 2},
		{"which serves others who ask the same", "/query?a=b", "200 a=b 0", 2},
		{"a name alone", "/query?a", "200 a 0", 3},
		{"a plus sign, and escapes as they came", "/query?a=b+c%26%00", "200 a=b c%26%00 0",
		 4},
		{"several", "/query?x=1&y=2&x=3", "200 x=1&y=2&x=3 0", 5},
		{"one that is refused", "/query?a=bad", "400 the query is bad", 5},
		{"of the other paths none", "/at_once?bad", "200 at once 0", 5},
	};
	struct http_server *server = start();
	int failed = 0;
	char text[1024], longest[HTTP_QUERY_SIZE + 32];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		failed += row_differs(rows[i].sentence,
				      take(ask(server, rows[i].path), text, sizeof(text)),
				      rows[i].answer);
		if (query_made != rows[i].made) {
			print_error("%s: %d made\n", rows[i].sentence, query_made);
			failed++;
		}
	}
	snprintf(longest, sizeof(longest), "/query?%0*d", HTTP_QUERY_SIZE - 1, 0);
	assert_string_not_equal(take(ask(server, longest), text, sizeof(text)),
				"400 the query is too long");
	snprintf(longest, sizeof(longest), "/query?%0*d", HTTP_QUERY_SIZE, 0);
	gets(server, longest, "400 the query is too long");
	http_stop(server);
	assert_int_equal(failed, 0);
}

/* More different queries than there are places: the oldest ones make room, and all are answered. */
static void many_queries(void **state)
{
	struct http_server *server = start();
	char path[64], answer[64];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/query?n=%d", i);
		snprintf(answer, sizeof(answer), "200 n=%d 0", i);
		gets(server, path, answer);
	}
	assert_int_equal(query_made, 100);
	gets(server, "/query?n=99", "200 n=99 0");
	assert_int_equal(query_made, 100);
	gets(server, "/query?n=0", "200 n=0 0");
	assert_int_equal(query_made, 101);
	http_stop(server);
}

/* While the thread is busy, as many different ones may wait as there are places; others are told to come again. */
static void too_many_queries(void **state)
{
	struct http_server *server = start();
	int client = begin_slow(server, "/slow"), waiting[64], busy = 0;
	char path[64], text[1024];

	(void)state;
	for (int i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/query?n=%d", i);
		waiting[i] = ask(server, path);
	}
	gets(server, "/at_once", "200 at once 0");
	pthread_mutex_unlock(&gate);
	take(client, text, sizeof(text));
	for (int i = 0; i < 64; i++)
		busy += strcmp(take(waiting[i], text, sizeof(text)), "503 busy: try again") == 0;
	assert_in_range(busy, 1, 48);
	assert_int_equal(query_made, 64 - busy);
	http_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_else_waits), cmocka_unit_test(one_for_all),
		cmocka_unit_test(stale_meanwhile),   cmocka_unit_test(failures),
		cmocka_unit_test(leaving),           cmocka_unit_test(ending),
		cmocka_unit_test(with_queries),      cmocka_unit_test(many_queries),
		cmocka_unit_test(too_many_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
