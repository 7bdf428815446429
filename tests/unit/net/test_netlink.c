// SPDX-License-Identifier: GPL-2.0-only
/* Answers over netlink: where they end, which are refused, and which belong to another request. */
#include <errno.h>

#include "net/netlink.h"
#include "net/rtnl_link.h"
#include "tests/unit/net/datagram.h"

#define ALL ((size_t)-1)

static void add_error(struct datagram *datagram, int err)
{
	const struct nlmsgerr error = {.error = err};

	add_message(datagram, NLMSG_ERROR, &error, sizeof(error));
}

static void add_done(struct datagram *datagram, int err)
{
	add_message(datagram, NLMSG_DONE, &err, sizeof(err))->nlmsg_flags = NLM_F_MULTI;
}

static void make_ack(struct datagram *datagram)
{
	add_error(datagram, 0);
}

static void make_error(struct datagram *datagram)
{
	add_error(datagram, -ENODEV);
}

static void make_short_error(struct datagram *datagram)
{
	const int err = -ENODEV;

	add_message(datagram, NLMSG_ERROR, &err, sizeof(err));
}

static void make_route(struct datagram *datagram)
{
	add_route(datagram);
}

static void make_two(struct datagram *datagram)
{
	add_route(datagram);
	add_route(datagram);
}

static void make_list(struct datagram *datagram)
{
	make_two(datagram);
	add_done(datagram, 0);
}

static void make_given_up(struct datagram *datagram)
{
	make_two(datagram);
	add_done(datagram, -ENOMEM);
}

static void make_interrupted(struct datagram *datagram)
{
	add_route(datagram)->nlmsg_flags = NLM_F_MULTI | NLM_F_DUMP_INTR;
}

static void make_earlier(struct datagram *datagram)
{
	add_route(datagram)->nlmsg_seq = SEQUENCE - 1;
}

static void make_other_port(struct datagram *datagram)
{
	add_route(datagram)->nlmsg_pid = PORT + 1;
}

static void make_headless(struct datagram *datagram)
{
	const char payload[4] = {0};

	add_message(datagram, RTM_NEWROUTE, payload, sizeof(payload));
}

static void make_second_cut(struct datagram *datagram)
{
	add_route(datagram);
	add_route(datagram)->nlmsg_len += 4;
}

static void make_too_short(struct datagram *datagram)
{
	add_route(datagram)->nlmsg_len = sizeof(struct nlmsghdr) - 1;
}

static void make_endless(struct datagram *datagram)
{
	add_route(datagram)->nlmsg_len = 0x80000010;
}

struct visits {
	size_t count;
	int result; /* what the visitor returns */
};

static int visit(const struct nlmsghdr *message, void *data)
{
	struct visits *visits = data;

	if (!netlink_header(message, sizeof(struct rtmsg)))
		return MNL_CB_ERROR;
	visits->count++;
	return visits->result;
}

static void answers(void **state)
{
	static const struct {
		const char *sentence;
		void (*make)(struct datagram *datagram);
		size_t length; /* bytes that arrive */
		int answer;    /* what the visitor returns */
		const char *expected;
	} rows[] = {
		{"one message that is enough", make_route, ALL, MNL_CB_STOP, "result 0, 1 seen"},
		{"a part of a list", make_two, ALL, MNL_CB_OK, "result 1, 2 seen"},
		{"the end of a list", make_list, ALL, MNL_CB_OK, "result 0, 2 seen"},
		{"the kernel does not finish a list", make_given_up, ALL, MNL_CB_OK,
		 "Cannot allocate memory, 0 seen"},
		{"the visitor has enough of a list", make_list, ALL, MNL_CB_STOP,
		 "result 0, 1 seen"},
		{"an acknowledgement", make_ack, ALL, MNL_CB_OK, "result 0, 0 seen"},
		{"the kernel refuses", make_error, ALL, MNL_CB_OK, "No such device, 0 seen"},
		{"a table changed while it was listed", make_interrupted, ALL, MNL_CB_OK,
		 "Interrupted system call, 0 seen"},
		{"the rest of an earlier answer", make_earlier, ALL, MNL_CB_STOP,
		 "result 1, 0 seen"},
		{"for another socket", make_other_port, ALL, MNL_CB_STOP,
		 "No such process, 0 seen"},
		{"nothing", make_route, 0, MNL_CB_STOP, "Bad message, 0 seen"},
		{"cut in the header", make_route, 15, MNL_CB_STOP, "Bad message, 0 seen"},
		{"cut behind the header", make_route, 16, MNL_CB_STOP, "Bad message, 0 seen"},
		{"cut in the last byte", make_route, 27, MNL_CB_STOP, "Bad message, 0 seen"},
		{"the second message is cut", make_second_cut, ALL, MNL_CB_OK,
		 "Bad message, 0 seen"},
		{"an earlier answer, cut", make_earlier, 20, MNL_CB_STOP, "Bad message, 0 seen"},
		{"a length below the header's", make_too_short, ALL, MNL_CB_STOP,
		 "Bad message, 0 seen"},
		{"a length beyond 2 GiB", make_endless, ALL, MNL_CB_STOP, "Bad message, 0 seen"},
		{"an error without the request", make_short_error, ALL, MNL_CB_OK,
		 "Bad message, 0 seen"},
		{"a route without its header", make_headless, ALL, MNL_CB_STOP,
		 "Bad message, 0 seen"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct visits visits = {.result = rows[i].answer};
		struct datagram datagram = {0};
		char text[128], *copy;
		size_t length;
		int result;

		rows[i].make(&datagram);
		length = rows[i].length < datagram.length ? rows[i].length : datagram.length;
		copy = copy_of(datagram.bytes, length);
		result = netlink_take(copy, length, SEQUENCE, PORT, visit, &visits);
		if (result < 0)
			snprintf(text, sizeof(text), "%s, %zu seen", strerror(-result),
				 visits.count);
		else
			snprintf(text, sizeof(text), "result %d, %zu seen", result, visits.count);
		failed += row_differs(rows[i].sentence, text, rows[i].expected);
		free(copy);
	}
	assert_int_equal(failed, 0);
}

static void events(void **state)
{
	struct visits visits = {.result = MNL_CB_OK};
	struct datagram datagram = {0};

	(void)state;
	add_route(&datagram);
	assert_int_equal(netlink_take(datagram.bytes, datagram.length, 0, 0, visit, &visits), 1);
	assert_int_equal(visits.count, 1);
}

static int take_ifindex(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *header = netlink_header(message, sizeof(*header));

	if (!header)
		return MNL_CB_ERROR;
	*(int *)data = header->ifi_index;
	return MNL_CB_STOP;
}

/*
 * Each visitor stops at the first link of a list. The rest of the list does not disturb later
 * requests.
 */
static void the_kernel(void **state)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	struct rtnl_link_stats64 stats = {.rx_packets = 5};
	union netlink_request request;
	struct ifinfomsg *header;
	int ifindex;

	(void)state;
	assert_int_equal(netlink_open(&netlink, NETLINK_ROUTE, 0), 0);
	for (int i = 0; i < 3; i++) {
		netlink_begin(&request, RTM_GETLINK, NLM_F_DUMP, sizeof(*header));
		assert_int_equal(netlink_ask(netlink, &request, take_ifindex, &ifindex), 0);
		header = netlink_begin(&request, RTM_GETLINK, 0, sizeof(*header));
		header->ifi_index = 1;
		ifindex = 0;
		assert_int_equal(netlink_ask(netlink, &request, take_ifindex, &ifindex), 0);
		assert_int_equal(ifindex, 1);
	}
	assert_int_equal(rtnl_read_stats(1, &stats), 0);
	stats.rx_packets = 5;
	assert_int_equal(rtnl_read_stats(0x7fffffff, &stats), -ENODEV);
	assert_int_equal(stats.rx_packets, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(events),
		cmocka_unit_test(the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
