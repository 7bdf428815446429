// SPDX-License-Identifier: GPL-2.0-only
/*
 * What rtnetlink's messages say of routes, neighbours and links; values of a wrong size are
 * ignored.
 */
#include <errno.h>

#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>

#include "net/rtnl_link.h"
#include "net/rtnl_message.h"
#include "tests/unit/net/datagram.h"

/* An attribute of a message. */
struct value {
	uint16_t type;
	uint16_t size;
	const char *bytes;
};

#define V4       "\x0a\x00\x00\x01"
#define V6       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define MAC      "\2\0\0\0\0\1"
#define MTU_1500 "\x08\0\x02\0\xdc\x05\0\0" /* RTAX_MTU, little-endian */

static void routes(void **state)
{
	static const struct {
		const char *sentence;
		uint8_t family;
		struct value values[4];
		const char *expected;
	} rows[] = {
		{"no attribute", AF_INET, {{0}}, "0 - - 0"},
		{"everything",
		 AF_INET,
		 {{RTA_OIF, 4, "\3\0\0\0"},
		  {RTA_GATEWAY, 4, V4},
		  {RTA_PREFSRC, 4, "\x0a\0\0\2"},
		  {RTA_METRICS, 8, MTU_1500}},
		 "3 10.0.0.1 10.0.0.2 1500"},
		{"IPv6",
		 AF_INET6,
		 {{RTA_GATEWAY, 16, V6}, {RTA_PREFSRC, 16, V6}},
		 "0 2001:db8::1 2001:db8::1 0"},
		{"an IPv6 gateway of an IPv4 route",
		 AF_INET,
		 {{RTA_VIA, 18, "\x0a\0" V6}},
		 "0 2001:db8::1 - 0"},
		{"an IPv4 gateway, said as one of another family",
		 AF_INET6,
		 {{RTA_VIA, 6, "\x02\0" V4}},
		 "0 10.0.0.1 - 0"},
		{"a gateway with too few bytes", AF_INET, {{RTA_GATEWAY, 3, V4}}, "0 - - 0"},
		{"a gateway without bytes", AF_INET, {{RTA_GATEWAY, 0, ""}}, "0 - - 0"},
		{"a gateway of the other version", AF_INET, {{RTA_GATEWAY, 16, V6}}, "0 - - 0"},
		{"a gateway of no IP version", AF_UNIX, {{RTA_GATEWAY, 4, V4}}, "0 - - 0"},
		{"a family and no gateway", AF_INET, {{RTA_VIA, 2, "\x0a\0"}}, "0 - - 0"},
		{"half a family", AF_INET, {{RTA_VIA, 1, "\x0a"}}, "0 - - 0"},
		{"nothing where a family belongs", AF_INET, {{RTA_VIA, 0, ""}}, "0 - - 0"},
		{"a gateway that is cut", AF_INET, {{RTA_VIA, 17, "\x0a\0" V6}}, "0 - - 0"},
		{"a gateway of no known family", AF_INET, {{RTA_VIA, 6, "\x63\0" V4}}, "0 - - 0"},
		{"an index of two bytes", AF_INET, {{RTA_OIF, 2, "\3\0"}}, "0 - - 0"},
		{"metrics that are longer than what they lie in",
		 AF_INET,
		 {{RTA_METRICS, 8, "\x0c\0\x02\0\xdc\x05\0\0"}},
		 "0 - - 0"},
		{"an MTU of two bytes",
		 AF_INET,
		 {{RTA_METRICS, 8, "\x06\0\x02\0\xdc\x05\0\0"}},
		 "0 - - 0"},
		{"metrics without any", AF_INET, {{RTA_METRICS, 0, ""}}, "0 - - 0"},
		{"metrics of half a header", AF_INET, {{RTA_METRICS, 2, "\x08\0"}}, "0 - - 0"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char next[ADDR_TEXT_SIZE] = "-", source[ADDR_TEXT_SIZE] = "-", text[256], *copy;
		struct rtnl_route_message answer = {0};
		struct datagram datagram = {0};
		struct nlmsghdr *message = add_route(&datagram);

		((struct rtmsg *)mnl_nlmsg_get_payload(message))->rtm_family = rows[i].family;
		for (size_t j = 0; j < 4 && rows[i].values[j].bytes; j++)
			mnl_attr_put(message, rows[i].values[j].type, rows[i].values[j].size,
				     rows[i].values[j].bytes);
		copy = copy_of(message, message->nlmsg_len);
		assert_int_equal(rtnl_parse_route((struct nlmsghdr *)copy, &answer), MNL_CB_STOP);
		assert_int_equal(answer.type, RTN_UNICAST);
		if (answer.route.next_hop.version)
			ip_address_format(&answer.route.next_hop, next);
		if (answer.route.source.version)
			ip_address_format(&answer.route.source, source);
		snprintf(text, sizeof(text), "%d %s %s %u", answer.ifindex, next, source,
			 answer.route.mtu);
		failed += row_differs(rows[i].sentence, text, rows[i].expected);
		free(copy);
	}
	assert_int_equal(failed, 0);
}

static void neighbours(void **state)
{
	static const struct {
		const char *sentence;
		uint16_t type;
		uint8_t family;
		uint16_t neighbour_state;
		struct value values[2];
		const char *expected;
	} rows[] = {
		{"reachable",
		 RTM_NEWNEIGH,
		 AF_INET,
		 NUD_REACHABLE,
		 {{NDA_DST, 4, V4}, {NDA_LLADDR, 6, MAC}},
		 "2 10.0.0.1 02:00:00:00:00:01 valid"},
		{"stale",
		 RTM_NEWNEIGH,
		 AF_INET6,
		 NUD_STALE,
		 {{NDA_DST, 16, V6}, {NDA_LLADDR, 6, MAC}},
		 "2 2001:db8::1 02:00:00:00:00:01 valid stale"},
		{"failed",
		 RTM_NEWNEIGH,
		 AF_INET,
		 NUD_FAILED,
		 {{NDA_DST, 4, V4}},
		 "2 10.0.0.1 00:00:00:00:00:00 failed"},
		{"one that is gone",
		 RTM_DELNEIGH,
		 AF_INET,
		 NUD_REACHABLE,
		 {{NDA_DST, 4, V4}, {NDA_LLADDR, 6, MAC}},
		 "2 10.0.0.1 02:00:00:00:00:01"},
		{"an address of a bridge's table",
		 RTM_NEWNEIGH,
		 AF_BRIDGE,
		 NUD_REACHABLE,
		 {{NDA_DST, 4, V4}, {NDA_LLADDR, 6, MAC}},
		 "2 - 02:00:00:00:00:01 valid"},
		{"a MAC of eight bytes",
		 RTM_NEWNEIGH,
		 AF_INET,
		 NUD_REACHABLE,
		 {{NDA_DST, 4, V4}, {NDA_LLADDR, 8, "\2\0\0\0\0\1\0\0"}},
		 "2 10.0.0.1 00:00:00:00:00:00"},
		{"a MAC of two bytes",
		 RTM_NEWNEIGH,
		 AF_INET,
		 NUD_REACHABLE,
		 {{NDA_DST, 4, V4}, {NDA_LLADDR, 2, "\2\0"}},
		 "2 10.0.0.1 00:00:00:00:00:00"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct ndmsg header = {
			.ndm_family = rows[i].family,
			.ndm_ifindex = 2,
			.ndm_state = rows[i].neighbour_state,
		};
		char address[ADDR_TEXT_SIZE] = "-", mac[ADDR_TEXT_SIZE], text[256], *copy;
		struct rtnl_neighbour_message answer = {0};
		struct rtnl_neighbour *neighbour = &answer.neighbour;
		struct datagram datagram = {0};
		struct nlmsghdr *message =
			add_message(&datagram, rows[i].type, &header, sizeof(header));

		for (size_t j = 0; j < 2 && rows[i].values[j].bytes; j++)
			mnl_attr_put(message, rows[i].values[j].type, rows[i].values[j].size,
				     rows[i].values[j].bytes);
		copy = copy_of(message, message->nlmsg_len);
		assert_int_equal(rtnl_parse_neighbour((struct nlmsghdr *)copy, &answer),
				 MNL_CB_STOP);
		if (neighbour->address.version)
			ip_address_format(&neighbour->address, address);
		snprintf(text, sizeof(text), "%d %s %s%s%s%s", answer.ifindex, address,
			 mac_format(neighbour->mac, mac), neighbour->valid ? " valid" : "",
			 neighbour->stale ? " stale" : "", neighbour->failed ? " failed" : "");
		failed += row_differs(rows[i].sentence, text, rows[i].expected);
		free(copy);
	}
	assert_int_equal(failed, 0);
}

static void add_link(struct datagram *datagram, const void *stats, size_t size)
{
	const struct ifinfomsg header = {.ifi_index = 2};
	struct nlmsghdr *message = add_message(datagram, RTM_NEWLINK, &header, sizeof(header));
	struct nlattr *info;

	mnl_attr_put(message, IFLA_ADDRESS, 6, MAC);
	mnl_attr_put_u32(message, IFLA_LINK, 9);
	mnl_attr_put_u32(message, IFLA_LINK_NETNSID, 0);
	mnl_attr_put(message, IFLA_STATS64, size, stats);
	mnl_attr_put_strz(message, IFLA_IFNAME, "ens5");
	mnl_attr_put_u32(message, IFLA_MASTER, 4);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "vlan");
	mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bond");
	mnl_attr_nest_end(message, info);
	datagram->length = message->nlmsg_len;
}

#define KNOWN sizeof(struct rtnl_link_stats64)

static void links(void **state)
{
	static const struct {
		const char *sentence;
		size_t size; /* of the kernel's counters */
		uint64_t tx_packets;
		uint64_t last;
	} rows[] = {
		{"the counters that this program knows", KNOWN, 2, KNOWN / 8},
		{"an older kernel has fewer", 16, 2, 0},
		{"a newer kernel has more", KNOWN + 16, 2, KNOWN / 8},
		{"none", 0, 0, 0},
	};
	uint64_t counters[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(counters); i++)
		counters[i] = i + 1;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct rtnl_link_message link = {0};
		struct datagram datagram = {0};
		uint64_t last;
		char *copy;

		add_link(&datagram, counters, rows[i].size);
		copy = copy_of(datagram.bytes, datagram.length);
		assert_int_equal(rtnl_parse_link((struct nlmsghdr *)copy, &link), MNL_CB_STOP);
		memcpy(&last, (char *)&link.stats + KNOWN - sizeof(last), sizeof(last));
		if (link.stats.tx_packets != rows[i].tx_packets || last != rows[i].last)
			fail_msg("%s", rows[i].sentence);
		assert_int_equal(link.peer, 9);
		assert_true(link.elsewhere);
		assert_memory_equal(link.mac, MAC, 6);
		assert_string_equal(link.name, "ens5");
		assert_string_equal(link.kind, "vlan");
		assert_int_equal(link.master, 4);
		free(copy);
	}
}

static void link_names(void **state)
{
	static const struct {
		const char *sentence;
		struct value name;
		const char *expected;
	} rows[] = {
		{"as long as a name may be",
		 {IFLA_IFNAME, 16, "123456789012345"},
		 "123456789012345"},
		{"without its end", {IFLA_IFNAME, 4, "ens5"}, "ens5"},
		{"longer than names are", {IFLA_IFNAME, 17, "1234567890123456"}, ""},
		{"empty", {IFLA_IFNAME, 0, ""}, ""},
	};
	const struct ifinfomsg header = {.ifi_index = 2};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct rtnl_link_message link = {0};
		struct datagram datagram = {0};
		struct nlmsghdr *message =
			add_message(&datagram, RTM_NEWLINK, &header, sizeof(header));

		mnl_attr_put(message, rows[i].name.type, rows[i].name.size, rows[i].name.bytes);
		assert_int_equal(rtnl_parse_link(message, &link), MNL_CB_STOP);
		failed += row_differs(rows[i].sentence, link.name, rows[i].expected);
	}
	assert_int_equal(failed, 0);
}

static void kinds(void **state)
{
	static const struct {
		uint16_t type;
		const char *name;
		const char *expected;
	} rows[] = {
		{ARPHRD_ETHER, "", "link/ether"},
		{ARPHRD_ETHER, "bond", "bond (link/ether)"},
		{ARPHRD_LOOPBACK, "", "link/loopback"},
		{ARPHRD_NONE, "wireguard", "wireguard (link/none)"},
		{ARPHRD_IEEE80211_RADIOTAP, "123456789012345",
		 "123456789012345 (link/ieee802.11/radiotap)"},
		{54321, "", "link/[54321]"},
		{54321, "123456789012345", "123456789012345 (link/[54321])"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[RTNL_KIND_SIZE];

		failed += row_differs(rows[i].expected,
				      rtnl_kind_format(rows[i].type, rows[i].name, text),
				      rows[i].expected);
	}
	assert_int_equal(failed, 0);
}

/* A message of any length is refused, or read to its end and no further. */
static void every_length(void **state)
{
	struct datagram full[3] = {0};
	const netlink_visit parse[] = {rtnl_parse_route, rtnl_parse_neighbour, rtnl_parse_link};
	const size_t headers[] = {sizeof(struct rtmsg), sizeof(struct ndmsg),
				  sizeof(struct ifinfomsg)};
	const struct ndmsg neighbour = {.ndm_family = AF_INET};
	struct rtnl_link_stats64 stats = {0};
	struct nlmsghdr *message = add_route(&full[0]);

	(void)state;
	mnl_attr_put(message, RTA_GATEWAY, 4, V4);
	mnl_attr_put(message, RTA_VIA, 18, "\x0a\0" V6);
	mnl_attr_put(message, RTA_METRICS, 8, MTU_1500);
	full[0].length = message->nlmsg_len;
	message = add_message(&full[1], RTM_NEWNEIGH, &neighbour, sizeof(neighbour));
	mnl_attr_put(message, NDA_DST, 4, V4);
	mnl_attr_put(message, NDA_LLADDR, 6, MAC);
	full[1].length = message->nlmsg_len;
	add_link(&full[2], &stats, sizeof(stats));
	for (size_t i = 0; i < COUNT_OF(full); i++) {
		for (size_t length = sizeof(*message); length <= full[i].length; length++) {
			struct rtnl_link_message data = {0}; /* the largest of the three */
			char *copy = copy_of(full[i].bytes, length);
			bool headless = length < sizeof(*message) + headers[i];

			((struct nlmsghdr *)copy)->nlmsg_len = length;
			assert_int_equal(netlink_take(copy, length, SEQUENCE, PORT, parse[i],
						      &data),
					 headless ? -EBADMSG : 0);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes), cmocka_unit_test(neighbours),
		cmocka_unit_test(links),  cmocka_unit_test(link_names),
		cmocka_unit_test(kinds),  cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
