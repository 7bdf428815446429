// SPDX-License-Identifier: GPL-2.0-only
/* IPsec's policies: what messages say of them, and which of them is about which packets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include <linux/xfrm.h>

#include "net/xfrm.h"
#include "tests/unit/net/datagram.h"

/* What `ip xfrm policy add` sends. */
struct added {
	uint16_t family;
	const char *source, *destination;
	uint8_t source_length, destination_length;
	uint8_t protocol;
	uint16_t source_port, destination_port; /* 0: any */
	uint8_t direction;
	uint8_t action;
	uint32_t priority;
	uint8_t demands, demands_too; /* by templates */
	uint32_t mark, interface_id;
};

static void add_policy(struct datagram *datagram, const struct added *added)
{
	struct xfrm_userpolicy_info info = {
		.sel = {.family = added->family,
			.prefixlen_s = added->source_length,
			.prefixlen_d = added->destination_length,
			.proto = added->protocol,
			.sport = htons(added->source_port),
			.sport_mask = added->source_port ? 0xffff : 0,
			.dport = htons(added->destination_port),
			.dport_mask = added->destination_port ? 0xffff : 0},
		.dir = added->direction,
		.action = added->action,
		.priority = added->priority,
	};
	struct xfrm_user_tmpl templates[] = {{.id.proto = added->demands},
					     {.id.proto = added->demands_too}};
	struct xfrm_mark mark = {.v = added->mark, .m = UINT32_MAX};
	struct nlmsghdr *message;

	if (added->source)
		inet_pton(added->family, added->source, &info.sel.saddr);
	if (added->destination)
		inet_pton(added->family, added->destination, &info.sel.daddr);
	message = add_message(datagram, XFRM_MSG_NEWPOLICY, &info, sizeof(info));
	if (added->demands)
		mnl_attr_put(message, XFRMA_TMPL,
			     sizeof(templates[0]) * (added->demands_too ? 2 : 1), templates);
	if (added->mark)
		mnl_attr_put(message, XFRMA_MARK, sizeof(mark), &mark);
	if (added->interface_id)
		mnl_attr_put_u32(message, XFRMA_IF_ID, added->interface_id);
	datagram->length = message->nlmsg_len;
}

#define OUT     .direction = XFRM_POLICY_OUT
#define FORWARD .direction = XFRM_POLICY_FWD
#define V4      .family = AF_INET
#define V6      .family = AF_INET6

static void messages(void **state)
{
	static const struct {
		const char *sentence;
		struct added added;
		const char *expected;
	} rows[] = {
		{"everything of IPv4",
		 {V4, OUT, .demands = IPPROTO_ESP},
		 "dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 0: esp"},
		{"one host, one service",
		 {V4, OUT, .source = "10.1.0.0", .source_length = 16, .destination = "10.20.0.2",
		  .destination_length = 32, .protocol = IPPROTO_UDP, .source_port = 514,
		  .destination_port = 8081, .priority = 4294967295U, .demands = IPPROTO_AH},
		 "dir out src 10.1.0.0/16 dst 10.20.0.2 proto 17 sport 514 dport 8081 priority "
		 "4294967295: ah"},
		{"forwarded IPv6",
		 {V6, FORWARD, .source = "fd01::", .source_length = 16, .destination = "fd20::2",
		  .destination_length = 128, .demands = IPPROTO_COMP},
		 "dir fwd src fd01::/16 dst fd20::2 priority 0: comp"},
		{"compressed, and encrypted then",
		 {V4, OUT, .demands = IPPROTO_COMP, .demands_too = IPPROTO_ESP},
		 "dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 0: esp"},
		{"authenticated, and compressed then",
		 {V4, OUT, .demands = IPPROTO_AH, .demands_too = IPPROTO_COMP},
		 "dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 0: ah"},
		{"what this program does not know",
		 {V4, OUT, .demands = IPPROTO_ROUTING},
		 "dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 0: ipsec"},
		{"blocked, whatever it demands",
		 {V4, OUT, .action = XFRM_POLICY_BLOCK, .demands = IPPROTO_ESP},
		 "dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 0: block"},
		{"let pass", {V4, OUT}, "dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 0: ipsec"},
		{"of what comes in", {V4, .direction = XFRM_POLICY_IN}, "foreign"},
		{"of a socket", {V4, .direction = XFRM_POLICY_MAX + 1}, "foreign"},
		{"of marked packets", {V4, OUT, .mark = 5}, "foreign"},
		{"of a virtual interface", {V4, OUT, .interface_id = 5}, "foreign"},
		{"of no IP version", {.family = AF_UNIX, OUT}, "foreign"},
		{"a prefix longer than addresses", {V4, OUT, .destination_length = 33}, "foreign"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct xfrm_message answer = {0};
		struct datagram datagram = {0};
		char text[XFRM_POLICY_SIZE], got[256] = "foreign";

		add_policy(&datagram, &rows[i].added);
		assert_int_equal(xfrm_parse_policy((struct nlmsghdr *)datagram.bytes, &answer),
				 MNL_CB_STOP);
		if (!answer.foreign)
			snprintf(got, sizeof(got), "%s: %s",
				 xfrm_policy_format(&answer.policy, text),
				 xfrm_policy_demand(&answer.policy));
		failed += row_differs(rows[i].sentence, got, rows[i].expected);
	}
	assert_int_equal(failed, 0);
}

/* Whatever a message's length: it is refused, or read to its end and no further. */
static void every_length(void **state)
{
	const struct added added = {V4, OUT, .demands = IPPROTO_ESP, .mark = 1, .interface_id = 1};
	struct datagram full = {0};

	(void)state;
	add_policy(&full, &added);
	for (size_t length = sizeof(struct nlmsghdr); length <= full.length; length++) {
		struct xfrm_message data = {0};
		char *copy = copy_of(full.bytes, length);
		bool headless =
			length < sizeof(struct nlmsghdr) + sizeof(struct xfrm_userpolicy_info);

		((struct nlmsghdr *)copy)->nlmsg_len = length;
		assert_int_equal(netlink_take(copy, length, SEQUENCE, PORT, xfrm_parse_policy,
					      &data),
				 headless ? -EBADMSG : 0);
		free(copy);
	}
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix found;

	assert_int_equal(ip_prefix_parse(text, &found), 0);
	return found;
}

/* A policy in words: direction, source, destination, and the rest. */
struct given {
	const char *source, *destination;
	enum xfrm_direction direction;
	uint8_t protocol, demands;
	struct xfrm_port source_port, destination_port;
	int ifindex;
	bool blocks, is_default;
};

#define ESP   .demands = IPPROTO_ESP
#define BLOCK .blocks = true
#define ALL   .source = "0.0.0.0/0", .destination = "0.0.0.0/0"
#define ALL6  .source = "::/0", .destination = "::/0"
#define TO(a) .source = "0.0.0.0/0", .destination = (a)

#define LISTEN_IFINDEX 3
#define EGRESS_IFINDEX 4

static struct xfrm_policy make(const struct given *given)
{
	return (struct xfrm_policy){
		.direction = given->direction,
		.is_default = given->is_default,
		.blocks = given->blocks,
		.demands = given->demands,
		.source = prefix(given->source ? given->source : "0.0.0.0/0"),
		.destination = prefix(given->destination ? given->destination : "0.0.0.0/0"),
		.protocol = given->protocol,
		.source_port = given->source_port,
		.destination_port = given->destination_port,
		.ifindex = given->ifindex,
	};
}

static void matches(void **state)
{
	static const struct {
		const char *sentence;
		struct given given[2];
		const char *source, *destination; /* of the packets; NULL: any, 10.20.0.2 */
		uint8_t protocol;
		uint16_t source_port, destination_port;
		bool any_protocol;
		int expected; /* which is found, from 1; 0: none */
	} rows[] = {
		{"no policy", {{0}}, .expected = 0},
		{"all packets", {{ALL, ESP}}, .expected = 1},
		{"the target", {{TO("10.20.0.2"), ESP}}, .expected = 1},
		{"its network", {{TO("10.20.0.0/24"), ESP}}, .expected = 1},
		{"another host", {{TO("10.20.0.3"), ESP}}, .expected = 0},
		{"another network", {{TO("10.21.0.0/16"), ESP}}, .expected = 0},
		{"the other version", {{ALL6, ESP}}, .expected = 0},
		{"IPv6", {{ALL6, ESP}}, "::/0", "fd20::2", .expected = 1},
		{"some sources, where any may come",
		 {{.source = "10.1.0.0/16", .destination = "10.20.0.2", ESP}},
		 .expected = 1},
		{"more sources than come",
		 {{.source = "10.0.0.0/8", .destination = "10.20.0.2", ESP}},
		 "10.1.0.0/16",
		 .expected = 1},
		{"sources that do not come",
		 {{.source = "10.2.0.0/16", .destination = "10.20.0.2", ESP}},
		 "10.1.0.0/16",
		 .expected = 0},
		{"one protocol of both", {{ALL, ESP, .protocol = IPPROTO_TCP}}, .expected = 1},
		{"the same protocol",
		 {{ALL, ESP, .protocol = IPPROTO_UDP}},
		 .protocol = IPPROTO_UDP,
		 .expected = 1},
		{"the other protocol",
		 {{ALL, ESP, .protocol = IPPROTO_TCP}},
		 .protocol = IPPROTO_UDP,
		 .expected = 0},
		{"one that no rule sends", {{ALL, ESP, .protocol = IPPROTO_ICMP}}, .expected = 0},
		{"which leaves unmatched",
		 {{ALL, ESP, .protocol = IPPROTO_ICMP}},
		 NULL,
		 "0.0.0.0/0",
		 .any_protocol = true,
		 .expected = 1},
		{"the port",
		 {{ALL, ESP, .destination_port = {8081, 0xffff}}},
		 .destination_port = 8081,
		 .expected = 1},
		{"another port",
		 {{ALL, ESP, .destination_port = {8080, 0xffff}}},
		 .destination_port = 8081,
		 .expected = 0},
		{"one of all ports",
		 {{ALL, ESP, .destination_port = {8080, 0xffff}}},
		 .expected = 1},
		{"a range of ports",
		 {{ALL, ESP, .destination_port = {8080, 0xfff0}}},
		 .destination_port = 8081,
		 .expected = 1},
		{"another source port",
		 {{ALL, ESP, .source_port = {514, 0xffff}}},
		 .source_port = 515,
		 .expected = 0},
		{"where it leaves", {{ALL, ESP, .ifindex = EGRESS_IFINDEX}}, .expected = 1},
		{"where it comes in is not where it leaves",
		 {{ALL, ESP, .ifindex = LISTEN_IFINDEX}},
		 .expected = 0},
		{"of the other direction", {{ALL, ESP, .direction = XFRM_FORWARD}}, .expected = 0},
		{"forbidden", {{ALL, BLOCK}}, .expected = 1},
		{"let pass", {{ALL}}, .expected = 0},
		{"let pass before", {{TO("10.20.0.2")}, {ALL, ESP}}, .expected = 0},
		{"let pass behind", {{ALL, ESP}, {TO("10.20.0.2")}}, .expected = 1},
		{"some let pass before",
		 {{.source = "10.1.0.0/16", .destination = "10.20.0.2"}, {ALL, ESP}},
		 .expected = 2},
		{"others let pass before", {{TO("10.20.0.3")}, {ALL, ESP}}, .expected = 2},
		{"one protocol let pass before",
		 {{ALL, .protocol = IPPROTO_UDP}, {ALL, ESP}},
		 .expected = 2},
		{"the only one let pass before",
		 {{ALL, .protocol = IPPROTO_UDP}, {ALL, ESP}},
		 .protocol = IPPROTO_UDP,
		 .expected = 0},
		{"let pass in the other direction",
		 {{ALL, .direction = XFRM_FORWARD}, {ALL, ESP}},
		 .expected = 2},
		{"the default", {{BLOCK, .is_default = true}}, .expected = 1},
		{"of IPv6, too", {{BLOCK, .is_default = true}}, "::/0", "fd20::2", .expected = 1},
		{"which comes behind all", {{ALL}, {BLOCK, .is_default = true}}, .expected = 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct xfrm_policy list[2];
		struct xfrm_policies policies = {list, 0};
		struct xfrm_flow flow = {
			.source = prefix(rows[i].source ? rows[i].source : "0.0.0.0/0"),
			.destination =
				prefix(rows[i].destination ? rows[i].destination : "10.20.0.2"),
			.protocol = rows[i].protocol,
			.any_protocol = rows[i].any_protocol,
			.source_port = rows[i].source_port,
			.destination_port = rows[i].destination_port,
			.listen_ifindex = LISTEN_IFINDEX,
			.egress_ifindex = EGRESS_IFINDEX,
		};
		const struct xfrm_policy *found;

		for (size_t j = 0; j < COUNT_OF(list); j++) {
			if (rows[i].given[j].source || rows[i].given[j].is_default)
				list[policies.count++] = make(&rows[i].given[j]);
		}
		found = xfrm_find_policy(&policies, XFRM_OUT, &flow);
		if ((found ? (int)(found - list) + 1 : 0) != rows[i].expected)
			fail_msg("%s: %d", rows[i].sentence, found ? (int)(found - list) + 1 : 0);
	}
}

/* A policy about what comes in by an interface. */
static void forwarded(void **state)
{
	const struct given given = {ALL, ESP, .direction = XFRM_FORWARD, .ifindex = LISTEN_IFINDEX};
	struct xfrm_policy policy = make(&given);
	const struct xfrm_policies policies = {&policy, 1};
	struct xfrm_flow flow = {.source = prefix("0.0.0.0/0"),
				 .destination = prefix("10.20.0.2"),
				 .listen_ifindex = LISTEN_IFINDEX,
				 .egress_ifindex = EGRESS_IFINDEX};

	(void)state;
	assert_ptr_equal(xfrm_find_policy(&policies, XFRM_FORWARD, &flow), &policy);
	assert_null(xfrm_find_policy(&policies, XFRM_OUT, &flow));
	policy.ifindex = EGRESS_IFINDEX;
	assert_null(xfrm_find_policy(&policies, XFRM_FORWARD, &flow));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(every_length),
		cmocka_unit_test(matches),
		cmocka_unit_test(forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
