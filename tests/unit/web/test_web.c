// SPDX-License-Identifier: GPL-2.0-only
/* The addresses at which the daemon serves HTTP, and its reason while another process holds one. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "web/web.h"

/* Binds a socket to a free port and returns it in *port; `backlog` negative: it does not listen. */
static int take_port(uint32_t address, uint16_t *port, int backlog)
{
	struct sockaddr_in name = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(address),
				   .sin_port = htons(*port)};
	socklen_t length = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (void *)&name, length), 0);
	assert_int_equal(getsockname(fd, (void *)&name, &length), 0);
	*port = ntohs(name.sin_port);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static const char *at(char *text, const char *address, uint16_t port)
{
	snprintf(text, 80, "%s:%u", address, port);
	return text;
}

/* Is there a server that answers? */
static bool answers(uint16_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[16] = "";
	bool good = connect(fd, (void *)&name, sizeof(name)) == 0 &&
		    dprintf(fd, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n") > 0 &&
		    read(fd, text, sizeof(text) - 1) > 0;

	close(fd);
	return good && strstr(text, "404");
}

static void move(struct web *web, const char *listen)
{
	web_move(web, listen);
	web_serve(web);
}

static void taken(void **state)
{
	char listen[80], said[128];
	struct web web = WEB_NONE;
	struct error error;
	uint16_t port = 0;
	int holder = take_port(INADDR_LOOPBACK, &port, 1);

	(void)state;
	assert_int_equal(web_open(&web, "unit", &error), 0);
	move(&web, at(listen, "127.0.0.1", port));
	assert_int_equal(web.err, -EADDRINUSE);
	snprintf(said, sizeof(said), "%s is held by process %d (", listen, (int)getpid());
	/* a search that takes too long, as on a busy machine, names nobody, and is not repeated by itself */
	for (int tries = 0; tries < 50 && !strstr(web.why.text, said); tries++) {
		web.holder = (struct port_holder){0};
		web_retry(&web);
	}
	if (web.holder
		    .inode) /* else this kernel has not loaded inet_diag, which tells the holder */
		assert_non_null(strstr(web.why.text, said));
	web_retry(&web);
	assert_int_equal(web.err, -EADDRINUSE);
	close(holder);
	web_retry(&web);
	assert_int_equal(web.err, 0);
	assert_string_equal(web.why.text, "");
	assert_true(answers(port));
	move(&web, "");
	assert_false(answers(port));
	web_close(&web);
}

/* Each row: the server goes from one address to the next, and is nowhere else. */
static void moves(void **state)
{
	uint16_t first = 0, second = 0;
	int one = take_port(INADDR_LOOPBACK, &first, -1),
	    two = take_port(INADDR_LOOPBACK, &second, -1);
	const struct {
		const char *sentence;
		const char *address; /* NULL: off */
		uint16_t port;
	} rows[] = {
		{"it comes", "127.0.0.1", first},
		{"it stays", "127.0.0.1", first},
		{"to an address that the one before is a part of", "0.0.0.0", first},
		{"and back", "127.0.0.1", first},
		{"to another port", "127.0.0.1", second},
		{"off", NULL, 0},
		{"and on again", "0.0.0.0", second},
	};
	struct web web = WEB_NONE;
	struct error error;

	(void)state;
	close(one);
	close(two);
	assert_int_equal(web_open(&web, "unit", &error), 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char listen[80] = "";

		move(&web, rows[i].address ? at(listen, rows[i].address, rows[i].port) : "");
		if (web.err || answers(first) != (rows[i].port == first) ||
		    answers(second) != (rows[i].port == second))
			fail_msg("%s: %s", rows[i].sentence, web.why.text);
	}
	web_close(&web);
}

/*
 * The server leaves an address that the configuration no longer names, even if the new one is
 * taken.
 */
static void moves_to_a_taken_place(void **state)
{
	uint16_t port = 0, other = 0;
	int holder = take_port(INADDR_ANY, &other, 1);
	struct web web = WEB_NONE;
	struct error error;
	char listen[80];

	(void)state;
	close(take_port(INADDR_LOOPBACK, &port, -1));
	assert_int_equal(web_open(&web, "unit", &error), 0);
	move(&web, at(listen, "127.0.0.1", port));
	assert_true(answers(port));
	move(&web, at(listen, "127.0.0.1", other));
	assert_int_equal(web.err, -EADDRINUSE);
	assert_false(answers(port));
	move(&web, at(listen, "127.0.0.1", port));
	assert_int_equal(web.err, 0);
	assert_true(answers(port));
	close(holder);
	web_close(&web);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(moves),
		cmocka_unit_test(moves_to_a_taken_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
