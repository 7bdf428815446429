// SPDX-License-Identifier: GPL-2.0-only
/* Addresses, prefixes, endpoints and MACs: text to bytes and back. */
#include <errno.h>

#include "base/addr.h"
#include "tests/unit/unit.h"

struct text_row {
	const char *sentence;
	const char *text;
	const char *again; /* how it is formatted; NULL: it is refused */
};

static void addresses(void **state)
{
	static const struct text_row rows[] = {
		{"an IPv4 address", "10.2.41.17", "10.2.41.17"},
		{"an IPv6 address is written in its short form", "2001:DB8:0:0::1", "2001:db8::1"},
		{"the unspecified address is an address", "::", "::"},
		{"three parts are no address", "10.2.41", NULL},
		{"a part beyond 255", "10.2.41.256", NULL},
		{"a leading zero, which is octal to some", "10.02.41.17", NULL},
		{"a blank behind it", "10.2.41.17 ", NULL},
		{"a zone does not belong to an address", "fe80::1%eth0", NULL},
		{"a name", "localhost", NULL},
		{"nothing", "", NULL},
	};
	char text[ADDR_TEXT_SIZE];
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_address address = {0};
		int err = ip_address_parse(rows[i].text, &address);

		assert_int_equal(err, rows[i].again ? 0 : -EINVAL);
		failed += row_differs(rows[i].sentence, ip_address_format(&address, text),
				      rows[i].again ? rows[i].again : "");
	}
	assert_int_equal(failed, 0);
}

static void endpoints(void **state)
{
	static const struct text_row rows[] = {
		{"address and port", "10.2.41.17:8081", "10.2.41.17:8081"},
		{"without a port", "10.2.41.17", "10.2.41.17"},
		{"IPv6 in brackets with a port", "[2001:db8::1]:8081", "[2001:db8::1]:8081"},
		{"IPv6 in brackets without a port", "[2001:db8::1]", "2001:db8::1"},
		{"what is bare IPv6 has no port", "2001:db8::1:8081", "2001:db8::1:8081"},
		{"the longest there is", "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
		 "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
		{"port 0", "10.2.41.17:0", NULL},
		{"a port that is too large", "10.2.41.17:65536", NULL},
		{"a port so large that it would wrap around", "10.2.41.17:4294967297", NULL},
		{"a port with a leading zero", "10.2.41.17:080", NULL},
		{"a colon without a port", "10.2.41.17:", NULL},
		{"a sign before the port", "10.2.41.17:+80", NULL},
		{"brackets around IPv4", "[10.2.41.17]:80", NULL},
		{"a bracket that is not closed", "[2001:db8::1", NULL},
		{"something behind the bracket", "[2001:db8::1]80", NULL},
		{"a port alone", ":8081", NULL},
		{"an endless address",
		 "[11111111111111111111111111111111111111111111111111111111111111111111]:1", NULL},
	};
	char text[ADDR_TEXT_SIZE];
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_endpoint endpoint = {0};
		int err = ip_endpoint_parse(rows[i].text, &endpoint);

		assert_int_equal(err, rows[i].again ? 0 : -EINVAL);
		failed += row_differs(rows[i].sentence, ip_endpoint_format(&endpoint, text),
				      rows[i].again ? rows[i].again : "");
	}
	assert_int_equal(failed, 0);
}

static void prefixes(void **state)
{
	static const struct {
		const char *sentence;
		const char *text;
		int err;
		const char *again;
	} rows[] = {
		{"a prefix", "10.0.0.0/8", 0, "10.0.0.0/8"},
		{"a bare address is one of full length", "10.2.41.20", 0, "10.2.41.20"},
		{"and so is this", "10.2.41.20/32", 0, "10.2.41.20"},
		{"everything", "0.0.0.0/0", 0, "0.0.0.0/0"},
		{"everything of IPv6", "::/0", 0, "::/0"},
		{"a length that is no multiple of eight", "10.32.0.0/11", 0, "10.32.0.0/11"},
		{"IPv6", "2001:db8::/32", 0, "2001:db8::/32"},
		{"one IPv6 address", "2001:db8::1/128", 0, "2001:db8::1"},
		{"host bits", "10.0.0.1/8", -ERANGE, ""},
		{"one host bit right behind the prefix", "10.32.0.0/10", -ERANGE, ""},
		{"host bits of IPv6", "2001:db8::1/64", -ERANGE, ""},
		{"longer than an address", "10.0.0.0/33", -EINVAL, ""},
		{"longer than an IPv6 address", "2001:db8::/129", -EINVAL, ""},
		{"a mask is no length", "10.0.0.0/255.0.0.0", -EINVAL, ""},
		{"no length", "10.0.0.0/", -EINVAL, ""},
		{"a length with a leading zero", "10.0.0.0/08", -EINVAL, ""},
		{"a negative length", "10.0.0.0/-1", -EINVAL, ""},
	};
	char text[ADDR_TEXT_SIZE];
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_prefix prefix = {.length = 32};
		int err = ip_prefix_parse(rows[i].text, &prefix);

		assert_int_equal(err, rows[i].err);
		failed += err ? prefix.length != 32 || prefix.address.version != 0
			      : row_differs(rows[i].sentence, ip_prefix_format(&prefix, text),
					    rows[i].again);
	}
	assert_int_equal(failed, 0);
}

static void containment(void **state)
{
	static const struct {
		const char *outer;
		const char *inner;
		bool contains;
	} rows[] = {
		{"10.0.0.0/8", "10.2.41.20", true},
		{"10.0.0.0/8", "10.0.0.0/8", true},
		{"10.0.0.0/8", "10.0.0.0/7", false},
		{"10.0.0.0/8", "11.0.0.0/8", false},
		{"10.32.0.0/11", "10.63.255.255", true},
		{"10.32.0.0/11", "10.64.0.0", false},
		{"0.0.0.0/0", "10.0.0.0/8", true},
		{"0.0.0.0/0", "2001:db8::/32", false},
		{"::/0", "10.0.0.0/8", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
	};
	struct ip_prefix outer, inner;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(ip_prefix_parse(rows[i].outer, &outer), 0);
		assert_int_equal(ip_prefix_parse(rows[i].inner, &inner), 0);
		if (ip_prefix_contains(&outer, &inner) != rows[i].contains)
			fail_msg("%s in %s", rows[i].inner, rows[i].outer);
	}
}

static void macs(void **state)
{
	static const struct text_row rows[] = {
		{"a MAC", "02:00:5e:10:00:ff", "02:00:5e:10:00:ff"},
		{"capitals", "02:00:5E:10:00:FF", "02:00:5e:10:00:ff"},
		{"five bytes", "02:00:5e:10:00", NULL},
		{"seven bytes", "02:00:5e:10:00:ff:01", NULL},
		{"one digit", "2:00:5e:10:00:ff", NULL},
		{"dashes", "02-00-5e-10-00-ff", NULL},
		{"no digit", "0g:00:5e:10:00:ff", NULL},
	};
	char text[ADDR_TEXT_SIZE];
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t mac[6];
		int err = mac_parse(rows[i].text, mac);

		assert_int_equal(err, rows[i].again ? 0 : -EINVAL);
		if (!err)
			failed +=
				row_differs(rows[i].sentence, mac_format(mac, text), rows[i].again);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(endpoints),
		cmocka_unit_test(prefixes),  cmocka_unit_test(containment),
		cmocka_unit_test(macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
