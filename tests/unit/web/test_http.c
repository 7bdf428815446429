// SPDX-License-Identifier: GPL-2.0-only
/* The HTTP server's pages: how long one serves before it is made anew. */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "web/http.h"
#include "tests/unit/unit.h"

#define COSTLY_MS 500 /* of CPU time: such a page serves for two seconds more */

static int rendered[3];

static int render(int number, struct http_page *page)
{
	rendered[number]++;
	page->type = "text/plain";
	page->body = strdup("a page\n");
	page->length = page->body ? strlen(page->body) : 0;
	return page->body ? 0 : -ENOMEM;
}

static int render_cheap(void *data, struct http_page *page)
{
	(void)data;
	return render(0, page);
}

static int render_lasting(void *data, struct http_page *page)
{
	(void)data;
	return render(1, page);
}

static int render_costly(void *data, struct http_page *page)
{
	struct timespec from, now;

	(void)data;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 <
		 COSTLY_MS);
	return render(2, page);
}

static const struct http_path paths[] = {
	{"/cheap", render_cheap, 0},
	{"/lasting", render_lasting, 60000},
	{"/costly", render_costly, 0},
	{0},
};

/* Asks and waits for the end of the answer, which is a good one. */
static void ask(struct http_server *server, const char *path)
{
	char text[1024];
	size_t used = 0;
	ssize_t got;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(http_adopt(server, ends[1]), 0);
	assert_true(dprintf(ends[0], "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path) > 0);
	while ((got = read(ends[0], text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	close(ends[0]);
	assert_non_null(strstr(text, "HTTP/1.1 200"));
	assert_non_null(strstr(text, "\r\n\r\na page\n"));
}

static void pages(void **state)
{
	static const struct {
		const char *sentence;
		const char *path;
		int made; /* for three requests */
	} rows[] = {
		{"without a lifetime each client gets a page of its own", "/cheap", 3},
		{"a page serves all clients while it is fresh", "/lasting", 1},
		{"a page that was costly to make serves longer than it has to", "/costly", 1},
	};
	const struct http_site site = {paths, NULL};
	struct http_server *server;
	struct error error;
	int failures = 0;

	(void)state;
	assert_int_equal(http_start(&server, -1, &site, &error), 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int request = 0; request < 3; request++)
			ask(server, rows[i].path);
		if (rendered[i] != rows[i].made) {
			print_error("%s: made %d times\n", rows[i].sentence, rendered[i]);
			failures++;
		}
	}
	http_stop(server);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pages)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
