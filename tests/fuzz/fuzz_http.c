// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends the input as a request to the HTTP server, over a socket pair. The server must answer with
 * valid HTTP or not at all, end the connection, and give pages to GET and HEAD only. The first byte
 * of the input says in how many pieces the rest is sent.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "web/http.h"
#include "web/query.h"

#define PATIENCE_MS 10000
#define ANSWER_SIZE 16384

struct answer {
	char text[ANSWER_SIZE + 1];
	size_t length;
};

static int render(void *data, const char *query, struct http_page *page)
{
	static const char body[] = "a page\n";

	(void)query;
	if (data)
		page->status = 503;
	page->type = "text/plain";
	page->body = strdup(body);
	page->length = strlen(body);
	return page->body ? 0 : -ENOMEM;
}

static int refuse(void *data, const char *query, struct http_page *page)
{
	(void)data;
	(void)query;
	(void)page;
	return -EIO;
}

/* What was accepted is still good when the page is made. */
static int render_rows(void *data, const char *text, struct http_page *page)
{
	struct query query;
	struct error error;

	must(query_parse(&query, text, "rule", &error) == 0, "an accepted query is good");
	must(query.limit >= 1 && query.limit <= QUERY_LIMIT_MAX, "limits are within bounds");
	must(query.offset <= QUERY_OFFSET_MAX, "offsets are within bounds");
	must(strlen(query.text) <= QUERY_TEXT_MAX, "texts are short");
	return render(data, text, page);
}

static int accepts_rows(const char *text, struct error *error)
{
	struct query query;
	int err = query_parse(&query, text, "rule", error);

	must(!err || (*error->text && !strpbrk(error->text, "\r\n")), "a refusal is a sentence");
	return err;
}

static struct http_server *server(void)
{
	static const struct http_path paths[] = {
		{"/", render, .fresh_ms = 0},
		{"/healthz", render, .at_once = true},
		{"/metrics", render, .fresh_ms = 1000},
		{"/stats.json", refuse, .fresh_ms = 0},
		{"/rules.json", render_rows, .accepts = accepts_rows},
		{0},
	};
	static const struct http_site site = {.paths = paths};
	static struct http_server *started;
	struct error error;

	if (!started) {
		signal(SIGPIPE, SIG_IGN);
		must(http_start(&started, -1, &site, &error) == 0, "the server starts");
	}
	return started;
}

/*
 * Waits for data or the end of the connection; false after the timeout. libFuzzer watches over a
 * run's time by a signal, which interrupts poll().
 */
static bool wait_for_answer(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return TEMP_FAILURE_RETRY(poll(&poll_fd, 1, timeout_ms)) == 1;
}

/*
 * Sends everything, or as much as the server takes before it answers or closes. Shuts down only
 * after the server has read all: if data and shutdown come together, the server notices the shutdown
 * at its idle timeout only, which is correct but too slow for a million runs.
 */
static void send_all(int fd, const uint8_t *data, size_t size, size_t pieces)
{
	size_t piece = size / pieces + 1;
	int unread = 1;

	for (size_t at = 0; at < size; at += piece) {
		size_t length = size - at < piece ? size - at : piece;
		ssize_t sent = TEMP_FAILURE_RETRY(send(fd, data + at, length, MSG_NOSIGNAL));

		if (sent != (ssize_t)length)
			break;
	}
	while (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread && !wait_for_answer(fd, 0))
		sched_yield();
	shutdown(fd, SHUT_WR);
}

static void receive_all(int fd, struct answer *answer)
{
	ssize_t got;

	answer->length = 0;
	for (;;) {
		must(wait_for_answer(fd, PATIENCE_MS), "the connection ends");
		must(answer->length < ANSWER_SIZE, "answers are short");
		got = TEMP_FAILURE_RETRY(
			recv(fd, answer->text + answer->length, ANSWER_SIZE - answer->length, 0));
		if (got <= 0)
			break;
		answer->length += (size_t)got;
	}
	answer->text[answer->length] = '\0';
}

/*
 * Does a line begin with the method? Requests may begin with empty lines (RFC 9112 section 2.2),
 * and libmicrohttpd takes a line that begins with a zero byte for an empty one.
 */
static bool has_method(const uint8_t *data, size_t size, const char *method)
{
	size_t length = strlen(method);
	bool at_start = true;

	for (size_t i = 0; i + length <= size; i++) {
		if (at_start && memcmp(data + i, method, length) == 0)
			return true;
		at_start = data[i] == '\r' || data[i] == '\n';
	}
	return false;
}

/* Does the first line that begins with GET or HEAD hold a zero byte? */
static bool target_has_zero(const uint8_t *data, size_t size)
{
	const uint8_t *line = data, *end = data + size;

	while (line < end) {
		const uint8_t *newline = memchr(line, '\n', end - line);
		const uint8_t *behind = newline ? newline : end;

		if ((behind - line >= 3 && memcmp(line, "GET", 3) == 0) ||
		    (behind - line >= 4 && memcmp(line, "HEAD", 4) == 0))
			return memchr(line, 0, behind - line) != NULL;
		line = behind + 1;
	}
	return false;
}

static bool status_is_known(int status)
{
	static const int known[] = {200, 400, 404, 405, 411, 413, 414, 431, 500, 501, 503, 505};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == status)
			return true;
	return false;
}

static void check_answer(const uint8_t *request, size_t size, struct answer *answer)
{
	bool is_get = has_method(request, size, "GET");
	bool is_head = has_method(request, size, "HEAD");
	const char *body, *length;
	int status;

	if (!answer->length)
		return;
	must(sscanf(answer->text, "HTTP/1.%*1[01] %d ", &status) == 1, "an answer has a status");
	must(status_is_known(status), "the status is one that is given here");
	must(status != 200 || is_get || is_head, "only GET and HEAD get a page");
	must(status != 200 || !target_has_zero(request, size), "a zero byte hides nothing");
	body = strstr(answer->text, "\r\n\r\n");
	must(body, "headers end");
	if (status != 200)
		return; /* libmicrohttpd 0.9.75 sends two heads with some of its own refusals */
	length = strcasestr(answer->text, "\r\nContent-Length: ");
	must(length && length < body, "a page says how long it is");
	body += 4;
	must((is_head && !strlen(body)) || strlen(body) == strtoul(length + 18, NULL, 10),
	     "and is as long as that");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answer answer;
	int pair[2];

	if (!size)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "there are sockets");
	must(http_adopt(server(), pair[0]) == 0, "the server takes a connection");
	send_all(pair[1], data + 1, size - 1, 1 + data[0] % 8);
	receive_all(pair[1], &answer);
	close(pair[1]);
	check_answer(data + 1, size - 1, &answer);
	return 0;
}
