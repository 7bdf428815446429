// SPDX-License-Identifier: GPL-2.0-only
/* The HTTP server: what a request gets, and how long a page serves before it is made anew. */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "web/http.h"
#include "web/request.h"
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

static int render_cheap(void *data, const char *query, struct http_page *page)
{
	(void)data;
	(void)query;
	return render(0, page);
}

static int render_lasting(void *data, const char *query, struct http_page *page)
{
	(void)data;
	(void)query;
	return render(1, page);
}

static int render_costly(void *data, const char *query, struct http_page *page)
{
	struct timespec from, now;

	(void)data;
	(void)query;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 <
		 COSTLY_MS);
	return render(2, page);
}

static const struct http_path paths[] = {
	{"/cheap", render_cheap, .fresh_ms = 0},
	{"/lasting", render_lasting, .fresh_ms = 60000},
	{"/costly", render_costly, .fresh_ms = 0},
	{0},
};

/* Sends a request and waits for the end of the answer. */
static void send_request(struct http_server *server, const char *request, size_t length, char *text,
			 size_t size)
{
	size_t used = 0;
	ssize_t got;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(http_adopt(server, ends[1]), 0);
	assert_int_equal(write(ends[0], request, length), length);
	while ((got = read(ends[0], text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	close(ends[0]);
}

/* Asks for a path; the answer is a good one. */
static void ask(struct http_server *server, const char *path)
{
	char request[256], text[1024];
	int length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);

	send_request(server, request, length, text, sizeof(text));
	assert_non_null(strstr(text, "HTTP/1.1 200"));
	assert_non_null(strstr(text, "\r\n\r\na page\n"));
}

static void pages(void **state)
{
	static const struct {
		const char *sentence;
		const char *path;
		int made; /* how often the page is made for three requests */
	} rows[] = {
		{"without a lifetime each client gets a page of its own", "/cheap", 3},
		{"a page serves all clients while it is fresh", "/lasting", 1},
		{"a page that was costly to make serves longer than it has to", "/costly", 1},
	};
	const struct http_site site = {.paths = paths};
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

/* RFC 9112; what differs from it is what libmicrohttpd takes in good faith. */
static void requests(void **state)
{
#define REQUEST(text) text, sizeof(text) - 1
	static const struct {
		const char *sentence;
		const char *request;
		size_t length;
		int status;
	} rows[] = {
		{"one host", REQUEST("GET /lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
		{"a host and a port", REQUEST("GET /lasting HTTP/1.1\r\nhost: a:80\r\n\r\n"), 200},
		{"an IPv6 address", REQUEST("GET /lasting HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
		 200},
		{"an empty host", REQUEST("GET /lasting HTTP/1.1\r\nHost:\r\n\r\n"), 200},
		{"spaces around the host", REQUEST("GET /lasting HTTP/1.1\r\nHost: \ta \r\n\r\n"),
		 200},
		{"no host", REQUEST("GET /lasting HTTP/1.1\r\n\r\n"), 400},
		{"no host, HTTP/1.2", REQUEST("GET /lasting HTTP/1.2\r\n\r\n"), 400},
		{"no host, HTTP/1.0", REQUEST("GET /lasting HTTP/1.0\r\n\r\n"), 200},
		{"two hosts", REQUEST("GET /lasting HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400},
		{"twice the same host",
		 REQUEST("GET /lasting HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: a\r\n\r\n"), 400},
		{"two hosts, HTTP/1.0",
		 REQUEST("GET /lasting HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400},
		{"no host, another method", REQUEST("POST / HTTP/1.1\r\n\r\n"), 400},
		{"a host with a path", REQUEST("GET /lasting HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
		{"a host with a user", REQUEST("GET /lasting HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400},
		{"two words for a host", REQUEST("GET /lasting HTTP/1.1\r\nHost: a b\r\n\r\n"),
		 400},
		{"a space before the colon",
		 REQUEST("GET /lasting HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"), 400},
		{"a header without a name, which to the library ends the headers",
		 REQUEST("GET /lasting HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"), 200},
		{"a first header that continues",
		 REQUEST("GET /lasting HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n"), 400},
		{"a header that continues on the next line",
		 REQUEST("GET /lasting HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"), 200},
		{"a CR alone between headers",
		 REQUEST("GET /lasting HTTP/1.1\r\nX: y\rHost: a\r\n\r\n"), 400},
		{"a CR alone within a header",
		 REQUEST("GET /lasting HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n"), 400},
		{"a CR alone behind the request line",
		 REQUEST("GET /lasting HTTP/1.1\rHost: a\r\n\r\n"), 400},
		{"lines that end with LF alone", REQUEST("GET /lasting HTTP/1.1\nHost: a\n\n"),
		 200},
		{"an empty line before", REQUEST("\r\nGET /lasting HTTP/1.1\r\nHost: a\r\n\r\n"),
		 200},
		{"HEAD", REQUEST("HEAD /lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
		{"a method in small letters", REQUEST("get /lasting HTTP/1.1\r\nHost: a\r\n\r\n"),
		 405},
		{"a method that begins like one", REQUEST("GETS / HTTP/1.1\r\nHost: a\r\n\r\n"),
		 405},
		{"the version in small letters",
		 REQUEST("GET /lasting http/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a zero byte behind the method",
		 REQUEST("GET\0 /lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"two spaces behind the method",
		 REQUEST("GET  /lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a query", REQUEST("GET /lasting?a=b&c HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
		{"an absolute target", REQUEST("GET http://a/lasting HTTP/1.1\r\nHost: a\r\n\r\n"),
		 200},
		{"an absolute target with a port and a query",
		 REQUEST("GET HTTPS://a:80/lasting?x HTTP/1.1\r\nHost: b\r\n\r\n"), 200},
		{"an absolute target without a path",
		 REQUEST("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"), 404},
		{"an absolute target and no host", REQUEST("GET http://a/lasting HTTP/1.1\r\n\r\n"),
		 400},
		{"an absolute target of no host",
		 REQUEST("GET http:///lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"an absolute target of a port alone",
		 REQUEST("GET http://:80/lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"an absolute target with a user",
		 REQUEST("GET http://u@a/lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"another scheme", REQUEST("GET ftp://a/lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a path without its slash", REQUEST("GET lasting HTTP/1.1\r\nHost: a\r\n\r\n"),
		 400},
		{"a star", REQUEST("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"two slashes", REQUEST("GET //lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 404},
		{"a fragment", REQUEST("GET /lasting#x HTTP/1.1\r\nHost: a\r\n\r\n"), 404},
		{"an escaped letter", REQUEST("GET /%6casting HTTP/1.1\r\nHost: a\r\n\r\n"), 404},
		{"a zero byte behind the path",
		 REQUEST("GET /lasting\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a zero byte and more behind the path",
		 REQUEST("GET /lasting\0x?y HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a zero byte that pretends to be the end",
		 REQUEST("GET /lasting\0HTTP/1.1\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a zero byte in the query",
		 REQUEST("GET /lasting?x\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a zero byte before the path",
		 REQUEST("GET \0/lasting HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a space in the path", REQUEST("GET /lasting x HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"a tab behind the path", REQUEST("GET /lasting\t HTTP/1.1\r\nHost: a\r\n\r\n"),
		 400},
		{"a CR in the path", REQUEST("GET /lasting\r HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
		{"two spaces before the version",
		 REQUEST("GET /lasting  HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	};
#undef REQUEST
	const struct http_site site = {.paths = paths};
	struct http_server *server;
	struct error error;
	int failures = 0;

	(void)state;
	assert_int_equal(http_start(&server, -1, &site, &error), 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[1024], expected[32] = "";

		send_request(server, rows[i].request, rows[i].length, text, sizeof(text));
		snprintf(expected, sizeof(expected), "HTTP/1.1 %d ", rows[i].status);
		if (strncmp(text, expected, strlen(expected)) != 0)
			failures += row_differs(rows[i].sentence, text, expected);
	}
	http_stop(server);
	assert_int_equal(failures, 0);
}

static void encodings(void **state)
{
	static const struct {
		const char *accepted;
		bool gzip;
	} rows[] = {
		{"gzip", true},
		{"GZip", true},
		{"gzip, deflate, br, zstd", true},
		{"deflate, gzip;q=0.5", true},
		{"deflate,gzip ; q=1.0", true},
		{" br ,\tgzip\t, x", true},
		{"gzip;q=0.001", true},
		{"gzip;q=0", false},
		{"gzip; q=0.000, identity", false},
		{"", false},
		{"identity", false},
		{"*", false}, /* it may mean gzip, but identity is never wrong */
		{"x-gzip2", false},
		{"gzipped", false},
		{"deflate;gzip", false},
		{",;,", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (request_accepts_gzip(rows[i].accepted) != rows[i].gzip)
			fail_msg("%s: %d", rows[i].accepted, !rows[i].gzip);
	}
}

static void tags(void **state)
{
	(void)state;
	assert_true(request_names_tag("\"a\"", "\"a\""));
	assert_true(request_names_tag("W/\"b\", W/\"a\"", "\"a\""));
	assert_true(request_names_tag("*", "\"a\""));
	assert_false(request_names_tag("\"aa\"", "\"a\""));
	assert_false(request_names_tag("a", "\"a\""));
	assert_false(request_names_tag("", "\"a\""));
}

/* A file as it is, compressed, or only that it is still the same. */
static void files(void **state)
{
	static const unsigned char plain[] = "the file\n", gzip[] = "compressed\n";
	static const struct http_file list[] = {{"/file", "text/x", plain, gzip, sizeof(plain) - 1,
						 sizeof(gzip) - 1},
						{0}};
	static const struct {
		const char *sentence;
		const char *headers; /* %s: the tag of the answer before */
		const char *answer, *body;
	} rows[] = {
		{"as it is", "", "HTTP/1.1 200 ", "the file\n"},
		{"the same again", "If-None-Match: %s\r\n", "HTTP/1.1 304 ", ""},
		{"compressed", "Accept-Encoding: gzip\r\n", "HTTP/1.1 200 ", "compressed\n"},
		{"the same again", "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n",
		 "HTTP/1.1 304 ", ""},
		{"another encoding than the client had", "If-None-Match: %s\r\n", "HTTP/1.1 200 ",
		 "the file\n"},
		{"not compressed for who refuses that", "Accept-Encoding: gzip;q=0\r\n",
		 "HTTP/1.1 200 ", "the file\n"},
	};
	const struct http_site site = {.paths = paths, .files = list};
	struct http_server *server;
	struct error error;
	char tag[64] = "";

	(void)state;
	assert_int_equal(http_start(&server, -1, &site, &error), 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char headers[200], request[400], text[1024], *found;

		snprintf(headers, sizeof(headers), rows[i].headers, tag);
		snprintf(request, sizeof(request), "GET /file HTTP/1.1\r\nHost: a\r\n%s\r\n",
			 headers);
		send_request(server, request, strlen(request), text, sizeof(text));
		if (strncmp(text, rows[i].answer, strlen(rows[i].answer)) != 0 ||
		    strcmp(strstr(text, "\r\n\r\n") + 4, rows[i].body) != 0)
			fail_msg("%s: %s", rows[i].sentence, text);
		assert_int_equal(strstr(text, "Content-Encoding: gzip") != NULL,
				 strstr(rows[i].headers, "gzip\r") != NULL);
		found = strstr(text, "ETag: ");
		assert_non_null(found);
		snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(found + 6, "\r"), found + 6);
	}
	http_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages), cmocka_unit_test(requests), cmocka_unit_test(encodings),
		cmocka_unit_test(tags),  cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
