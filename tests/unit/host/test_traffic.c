// SPDX-License-Identifier: GPL-2.0-only
/* What a configuration means for the packets of a host: sizes, fragments, passed packets. */
#include "host/traffic.h"
#include "tests/unit/unit.h"

#define LISTEN  "listen: {interface: ens5}\n"
#define GENERIC "listen: {interface: ens5, xdp_mode: generic}\n"
#define RULE4   "nat: [{match: {source_port: 1}, to: 10.0.0.9}]\n"
#define RULE6   "nat: [{match: {source_port: 1}, to: 'fd00::9'}]\n"

static void load(struct config *config, const char *text)
{
	struct config_problems problems;

	if (config_load_text(config, "row", text, strlen(text), NULL, 0, &problems)) {
		config_problems_print(&problems, stderr);
		fail_msg("the row's configuration");
	}
	config_problems_clear(&problems);
}

/* A host with known MTUs; everything else is unknown. */
static struct host host_with(int64_t listen_mtu, int64_t forward_mtu)
{
	struct host host;

	host_init(&host);
	host.listen.mtu = listen_mtu;
	host.forward.mtu = forward_mtu;
	return host;
}

static void sizes(void **state)
{
	static const struct {
		const char *sentence;
		const char *forward; /* the section of that name */
		int64_t listen_mtu;
		int64_t device_mtu;
		int64_t mtu; /* this and the following are expected */
		int64_t inner;
		int64_t fragments;
	} rows[] = {
		{"jumbo frames to an ordinary network", "{mtu: 1500}", 9001, 9001, 1500, 8951, 7},
		{"the configuration's MTU counts, not the device's", "{mtu: 1400}", 1500, 9001,
		 1400, 1450, 2},
		{"without it, the device's does", "{}", 9001, 1500, 1500, 8951, 7},
		{"everything fits", "{}", 1550, 1500, 1500, 1500, 0},
		{"a byte does not", "{}", 1551, 1500, 1500, 1501, 2},
		/* a fragment holds 20 bytes of header and a multiple of 8 bytes of payload: 1480 */
		{"two fragments are full", "{}", 50 + 20 + 2 * 1480, 1500, 1500, 2980, 2},
		{"a byte more makes a third", "{}", 51 + 20 + 2 * 1480, 1500, 1500, 2981, 3},
		{"payload goes in eights", "{mtu: 1499}", 50 + 20 + 2 * 1472, 1500, 1499, 2964, 2},
		{"and a byte more", "{mtu: 1499}", 51 + 20 + 2 * 1472, 1500, 1499, 2965, 3},
		{"as small as an MTU may be", "{mtu: 68}", 50 + 20 + 3 * 48, 1500, 68, 164, 3},
		{"a device that holds eight bytes beside the header", "{}", 1500, 28, 28, 1450,
		 179},
		{"a device that holds seven", "{}", 1500, 27, 27, 1450, 0},
		{"packets that are too large are dropped", "{oversize: drop}", 9001, 1500, 1500,
		 8951, 0},
		{"packets that are too large are passed", "{oversize: pass}", 9001, 1500, 1500,
		 8951, 0},
		{"the way in is not known", "{mtu: 1500}", HOST_UNKNOWN, 9001, 1500, HOST_UNKNOWN,
		 0},
		{"the way out is not known", "{}", 9001, HOST_UNKNOWN, HOST_UNKNOWN, 8951, 0},
		{"nor need it be", "{mtu: 1500}", 9001, HOST_UNKNOWN, 1500, 8951, 7},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct host host = host_with(rows[i].listen_mtu, rows[i].device_mtu);
		char text[256], got[128], expected[128];
		struct config config;

		snprintf(text, sizeof(text), LISTEN "forward: %s\n", rows[i].forward);
		load(&config, text);
		snprintf(got, sizeof(got), "mtu %d, largest %d, fragments %d",
			 (int)traffic_forward_mtu(&config, &host),
			 (int)traffic_largest_inner(&host), (int)traffic_fragments(&config, &host));
		snprintf(expected, sizeof(expected), "mtu %d, largest %d, fragments %d",
			 (int)rows[i].mtu, (int)rows[i].inner, (int)rows[i].fragments);
		failed += row_differs(rows[i].sentence, got, expected);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

static void who_fragments(void **state)
{
	static const char *const names[] = {"none", "in XDP", "kernel too old", "generic mode",
					    "device too small"};
	static const struct {
		const char *sentence;
		const char *forward;
		int64_t listen_mtu;
		int64_t device_mtu;
		enum answer broadcast;
		bool generic;
		enum fragmenting expected;
	} rows[] = {
		{"the datapath", "{mtu: 1500}", 9001, 9001, ANSWER_YES, false, FRAGMENTING_IN_XDP},
		{"the datapath, if the kernel did not say", "{mtu: 1500}", 9001, 9001,
		 ANSWER_UNKNOWN, false, FRAGMENTING_IN_XDP},
		{"the kernel does not copy frames", "{mtu: 1500}", 9001, 9001, ANSWER_NO, false,
		 FRAGMENTING_KERNEL_TOO_OLD},
		{"generic mode comes before the kernel's age", "{mtu: 1500}", 9001, 9001, ANSWER_NO,
		 true, FRAGMENTING_GENERIC_MODE},
		{"so does a device that is too small", "{}", 9001, 1500, ANSWER_NO, false,
		 FRAGMENTING_DEVICE_TOO_SMALL},
		{"nothing is too large", "{}", 1550, 1500, ANSWER_NO, false, FRAGMENTING_NONE},
		{"nothing is to be fragmented", "{mtu: 1500, oversize: drop}", 9001, 9001,
		 ANSWER_YES, false, FRAGMENTING_NONE},
		{"the way in is not known", "{mtu: 1500}", HOST_UNKNOWN, 9001, ANSWER_YES, true,
		 FRAGMENTING_NONE},
		{"the way out is not known", "{}", 9001, HOST_UNKNOWN, ANSWER_YES, true,
		 FRAGMENTING_NONE},
		{"no room for a fragment's payload", "{}", 1500, 27, ANSWER_YES, true,
		 FRAGMENTING_NONE},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct host host = host_with(rows[i].listen_mtu, rows[i].device_mtu);
		struct config config;
		char text[256];

		host.features.broadcast = rows[i].broadcast;
		snprintf(text, sizeof(text), LISTEN "forward: %s\n", rows[i].forward);
		load(&config, text);
		failed += row_differs(rows[i].sentence,
				      names[traffic_fragmenting(&config, &host, rows[i].generic)],
				      names[rows[i].expected]);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

static void whether_the_kernel_fragments(void **state)
{
	static const struct {
		const char *sentence;
		const char *forward;
		int64_t device_mtu;
		bool expected;
	} rows[] = {
		{"the MTU is the device's", "{}", 1500, true},
		{"the same, as the configuration says", "{mtu: 1500}", 1500, true},
		{"the device takes a byte less", "{mtu: 1500}", 1499, true},
		{"the device takes a byte more", "{mtu: 1500}", 1501, false},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct host host = host_with(9001, rows[i].device_mtu);
		struct config config;
		char text[256];

		snprintf(text, sizeof(text), LISTEN "forward: %s\n", rows[i].forward);
		load(&config, text);
		failed += row_differs(rows[i].sentence,
				      traffic_kernel_fragments(&config, &host) ? "yes" : "no",
				      rows[i].expected ? "yes" : "no");
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

/*
 * On a host whose tunnel carries packets of 1450 bytes, and with an MTU of 9001 on
 * forward.interface.
 */
static void what_the_kernel_gets(void **state)
{
	static const struct {
		const char *sentence;
		const char *config;
		bool ipv4; /* expected */
		bool ipv6;
	} rows[] = {
		{"no rule, nothing is passed", LISTEN, false, false},
		{"a rule for IPv4, by routes", LISTEN RULE4, true, false},
		{"a rule for IPv6, by routes", LISTEN RULE6, false, true},
		{"rules for both",
		 LISTEN "nat: [{match: {source_port: 1}, to: 10.0.0.9}, {match: {source_port: 1}, "
			"to: 'fd00::9'}]\n",
		 true, true},
		{"the next hop is given, and all fits",
		 LISTEN RULE4 "forward: {next_hop: '02:00:00:00:00:01'}\n", false, false},
		{"the Ethernet addresses are kept, and all fits",
		 LISTEN RULE4 "forward: {next_hop: keep}\n", false, false},
		{"the next hop is given, and packets are fragmented: those with IP options",
		 LISTEN RULE4 "forward: {next_hop: '02:00:00:00:00:01', mtu: 1400}\n", true, false},
		{"the next hop is given, and packets that are too large are dropped",
		 LISTEN RULE4 "forward: {next_hop: keep, mtu: 1400, oversize: drop}\n", false,
		 false},
		{"the next hop is given, and packets that are too large are passed",
		 LISTEN RULE4 "forward: {next_hop: keep, mtu: 1400, oversize: pass}\n", true,
		 false},
		{"they would be passed, but all fit",
		 LISTEN RULE4 "forward: {next_hop: keep, mtu: 1450, oversize: pass}\n", false,
		 false},
		{"the same for IPv6", LISTEN RULE6 "forward: {next_hop: keep, mtu: 1400}\n", false,
		 true},
		{"generic mode, where the kernel fragments",
		 GENERIC RULE4 "forward: {next_hop: keep, mtu: 1400}\n", true, false},
		{"what no rule matches is passed: of IPv6 only where rules are about it",
		 LISTEN "forward: {unmatched: pass}\n", true, false},
		{"with a rule for IPv6",
		 LISTEN RULE6 "forward: {unmatched: pass, next_hop: keep}\n", true, true},
		{"what no rule matches is forwarded: that is IPv4",
		 LISTEN "forward: {unmatched: "
			"forward}\n",
		 true, false},
		{"truncated packets, which the kernel drops anyway",
		 LISTEN "inner: {truncated: "
			"pass}\n",
		 false, false},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct host host = host_with(1500, 9001);
		char got[64], expected[64];
		struct config config;

		load(&config, rows[i].config);
		snprintf(got, sizeof(got), "IPv4 %d, IPv6 %d",
			 traffic_passes_version(&config, &host, 4),
			 traffic_passes_version(&config, &host, 6));
		snprintf(expected, sizeof(expected), "IPv4 %d, IPv6 %d", rows[i].ipv4,
			 rows[i].ipv6);
		failed += row_differs(rows[i].sentence, got, expected);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(who_fragments),
		cmocka_unit_test(whether_the_kernel_fragments),
		cmocka_unit_test(what_the_kernel_gets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
