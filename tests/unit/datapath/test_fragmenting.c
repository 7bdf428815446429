// SPDX-License-Identifier: GPL-2.0-only
/* Whether XDP or the kernel fragments large packets, at each of the limits. */
#include "datapath/fragmenting.h"
#include "tests/unit/unit.h"

static const char *const names[] = {
	[FRAGMENTING_NONE] = "none",
	[FRAGMENTING_IN_XDP] = "in XDP",
	[FRAGMENTING_KERNEL_TOO_OLD] = "kernel too old",
	[FRAGMENTING_GENERIC_MODE] = "generic mode",
	[FRAGMENTING_DEVICE_TOO_SMALL] = "device too small",
};

static void choices(void **state)
{
	static const struct {
		const char *sentence;
		enum oversize_mode oversize;
		int64_t largest;
		int64_t mtu;
		int64_t device_mtu;
		bool generic;
		enum fragmenting expected;
	} rows[] = {
		{"large packets to a device that takes them whole", OVERSIZE_FRAGMENT, 8951, 1500,
		 9001, false, FRAGMENTING_IN_XDP},
		{"the largest packet just fits", OVERSIZE_FRAGMENT, 1500, 1500, 9001, false,
		 FRAGMENTING_NONE},
		{"it is a byte too large", OVERSIZE_FRAGMENT, 1501, 1500, 9001, false,
		 FRAGMENTING_IN_XDP},
		{"packets that are too large are dropped", OVERSIZE_DROP, 8951, 1500, 9001, false,
		 FRAGMENTING_NONE},
		{"packets that are too large are passed", OVERSIZE_PASS, 8951, 1500, 9001, false,
		 FRAGMENTING_NONE},
		{"in generic mode", OVERSIZE_FRAGMENT, 8951, 1500, 9001, true,
		 FRAGMENTING_GENERIC_MODE},
		{"in generic mode, and every packet fits", OVERSIZE_FRAGMENT, 1500, 1500, 9001,
		 true, FRAGMENTING_NONE},
		{"in generic mode with a device that is too small", OVERSIZE_FRAGMENT, 8951, 1500,
		 1500, true, FRAGMENTING_GENERIC_MODE},
		{"the device takes no more than a fragment", OVERSIZE_FRAGMENT, 8951, 1500, 1500,
		 false, FRAGMENTING_DEVICE_TOO_SMALL},
		/* the shim takes 16 bytes; the kernel allows frames 4 bytes for a VLAN tag */
		{"the device has no byte for the packet beside the shim", OVERSIZE_FRAGMENT, 8951,
		 1500, 1512, false, FRAGMENTING_DEVICE_TOO_SMALL},
		{"the device has one", OVERSIZE_FRAGMENT, 8951, 1500, 1513, false,
		 FRAGMENTING_IN_XDP},
		{"a device that is too small, and every packet fits", OVERSIZE_FRAGMENT, 1450, 1500,
		 1500, false, FRAGMENTING_NONE},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum fragmenting got =
			fragmenting_choose(rows[i].oversize, rows[i].largest, rows[i].mtu,
					   rows[i].device_mtu, rows[i].generic);

		failed += row_differs(rows[i].sentence, names[got], names[rows[i].expected]);
	}
	assert_int_equal(failed, 0);
}

/* Outer IPv4, UDP, VXLAN and inner Ethernet header (RFC 7348). */
static void the_tunnel_takes(void **state)
{
	(void)state;
	assert_int_equal(FRAGMENTING_TUNNEL, 20 + 8 + 8 + 14);
}

/* Eight fragments of multiples of 8 bytes (RFC 791), or what a copy has room for; and the device has to admit that. */
static void sizes(void **state)
{
	static const struct {
		int64_t mtu, largest;
	} rows[] = {{300, 8 * 280 + 20}, {299, 8 * 272 + 20}, {576, 0}, {1500, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(fragmenting_largest(rows[i].mtu),
				 rows[i].largest ? rows[i].largest : FRAGMENTING_LARGEST);
	assert_int_equal(fragmenting_device_mtu(2852), 2852 + 16 - 4);
	assert_int_equal(fragmenting_device_mtu(9000), FRAGMENTING_LARGEST + 16 - 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices),
		cmocka_unit_test(the_tunnel_takes),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
