// SPDX-License-Identifier: GPL-2.0-only
/* Rules: what they need, how they have to agree with other keys, and which can never match. */
#include "tests/unit/config/config_rows.h"

/* clang-format off */
static const struct config_row rows[] = {
	{"a rule with everything",
		 TEXT("listen: {interface: ens5, vnis: [1, 2]}\n"
		 "nat:\n"
		 "  - match: {source_port: 42844, protocol: udp, vni: 2, source: 10.2.41.20, destin"
		 "ation: 10.0.0.0/8, destination_port: 514}\n"
		 "    to: 10.2.41.17:8081\n"),
		 ""},
	{"targets of all forms",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1}\n"
		 "    to: 10.2.41.17\n"
		 "  - match: {source_port: 2}\n"
		 "    to: 10.2.41.17:1\n"
		 "  - match: {source_port: 3}\n"
		 "    to: 2001:db8::1\n"
		 "  - match: {source_port: 4}\n"
		 "    to: \"[2001:db8::1]:65535\"\n"
		 "  - match: {source_port: 5}\n"
		 "    to: 169.254.0.1:1\n"),
		 ""},
	{"a rule that is no mapping",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - 1=2\n"
		 "  -\n"
		 "  - [a]\n"),
		 "t:3:5: nat[1]: this is a single value; give a mapping with the keys match and "
		 "to\n"
		 "t:4:4: nat[2]: this is a single value; give a mapping with the keys match and "
		 "to\n"
		 "t:5:5: nat[3]: this is a list; give a mapping with the keys match and to\n"},
	{"names, of all letters that they take",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - {name: a, match: {source_port: 1}, to: 10.0.0.1}\n"
		 "  - {name: 'Syslog.514_-:x', match: {source_port: 2}, to: 10.0.0.1}\n"
		 "  - {name: 0x514, match: {source_port: 3}, to: 10.0.0.1}\n"
		 /* as a rule without a name is called */
		 "  - {name: 12345678, match: {source_port: 5}, to: 10.0.0.1}\n"
		 "  - {name: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123, "
		 "match: {source_port: 4}, to: 10.0.0.1}\n"),
		 ""},
	{"texts that are no names",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - {name: '', match: {source_port: 1}, to: 10.0.0.1}\n"
		 "  - {name: 514, match: {source_port: 2}, to: 10.0.0.1}\n"
		 "  - {name: 1234567, match: {source_port: 9}, to: 10.0.0.1}\n"
		 "  - {name: a b, match: {source_port: 3}, to: 10.0.0.1}\n"
		 "  - {name: \"a\\e[2J\", match: {source_port: 4}, to: 10.0.0.1}\n"
		 "  - {name: <b>, match: {source_port: 5}, to: 10.0.0.1}\n"
		 "  - {name: [a], match: {source_port: 6}, to: 10.0.0.1}\n"
		 "  - {name: , match: {source_port: 7}, to: 10.0.0.1}\n"
		 "  - {name: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234, "
		 "match: {source_port: 8}, to: 10.0.0.1}\n"),
		 "t:3:12: nat[1].name: '' is not the name of a rule: it is empty\n"
		 "t:4:12: nat[2].name: '514' is not the name of a rule: it would read as the number "
		 "of a rule\n"
		 "t:5:12: nat[3].name: '1234567' is not the name of a rule: it would read as the "
		 "number of a rule\n"
		 "t:6:12: nat[4].name: 'a b' is not the name of a rule: it takes letters, digits "
		 "and . _ - : only\n"
		 "t:7:12: nat[5].name: 'a\\x1b[2J' is not the name of a rule: it takes letters, "
		 "digits and . _ - : only\n"
		 "t:8:12: nat[6].name: '<b>' is not the name of a rule: it takes letters, digits "
		 "and . _ - : only\n"
		 "t:9:12: nat[7].name: this is a list; give a name of up to 63 letters, digits and "
		 ". _ - :, not of up to 7 digits alone\n"
		 "t:10:12: nat[8].name: there is no value: give a name of up to 63 letters, digits "
		 "and . _ - :, not of up to 7 digits alone\n"
		 "t:11:12: nat[9].name: 'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffff"
		 "...' is not the name of a rule: it is longer than 63 characters\n"},
	{"a name twice, and thrice",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - {name: a, match: {source_port: 1}, to: 10.0.0.1}\n"
		 "  - {name: b, match: {source_port: 2}, to: 10.0.0.1}\n"
		 "  - {name: a, match: {source_port: 3}, to: 10.0.0.1}\n"
		 "  - match: {source_port: 4}\n"
		 "    to: 10.0.0.1\n"
		 "    name: a\n"
		 "  - {name: A, match: {source_port: 5}, to: 10.0.0.1}\n"),
		 "t:5:6: nat[3].name: 'a' is the name of rule 1 (line 3) already: give each rule its "
		 "own\n"
		 "t:8:5: nat[4].name: 'a' is the name of rule 1 (line 3) already: give each rule its "
		 "own\n"},
	{"a rule that can never match because of one with a name",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - {name: all, match: {source: 10.0.0.0/8}, to: 10.0.0.1}\n"
		 "  - {match: {source: 10.1.0.0/16}, to: 10.0.0.1}\n"),
		 "t:4:6: nat[2].match: the rule can never match: rule 1 (line 3, all) comes first and "
		 "covers it\n"},
	{"a rule without a target",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1}\n"),
		 "t:3:5: nat[1].to: missing: give the new ADDRESS[:PORT]\n"},
	{"a rule that does not say what it matches",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - to: 10.2.41.17\n"
		 "  - match: {}\n"
		 "    to: 10.2.41.17\n"
		 "  - match:\n"
		 "    to: 10.2.41.17\n"),
		 "t:3:5: nat[1].match: missing: say which packets, as in {source_port: 42844}\n"
		 "t:4:5: nat[2].match: empty: give at least one key, as in {source_port: 42844}\n"
		 "t:6:5: nat[3].match: empty: give at least one key, as in {source_port: 42844}\n"},
	{"keys at the wrong level",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - source_port: 1\n"
		 "    match: {to: 10.2.41.17, sourceport: 1}\n"),
		 "t:3:5: nat[1].source_port: unknown key; did you mean nat[].match.source_port?\n"
		 "t:3:5: nat[1].to: missing: give the new ADDRESS[:PORT]\n"
		 "t:4:13: nat[1].match.to: unknown key; did you mean nat[].to?\n"
		 "t:4:29: nat[1].match.sourceport: unknown key; did you mean 'source_port'?\n"},
	{"keys of a rule given twice",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1, source_port: 2}\n"
		 "    to: 10.2.41.17\n"
		 "    to: 10.2.41.18\n"),
		 "t:3:29: nat[1].match.source_port: duplicate key; it stands in line 3 already\n"
		 "t:5:5: nat[1].to: duplicate key; it stands in line 4 already\n"},
	{"ports",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 0}\n"
		 "    to: 10.2.41.17\n"
		 "  - match: {destination_port: 65536}\n"
		 "    to: 10.2.41.17\n"
		 "  - match: {source_port: 1}\n"
		 "    to: 10.2.41.17:0\n"
		 "  - match: {source_port: 1}\n"
		 "    to: 10.2.41.17:99999\n"),
		 "t:3:26: nat[1].match.source_port: '0' is out of range: it takes a number from "
		 "1 to 65535\n"
		 "t:5:31: nat[2].match.destination_port: '65536' is out of range: it takes a number"
		 " from 1 to 65535\n"
		 "t:8:9: nat[3].to: '10.2.41.17:0' is not ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\" "
		 "with a port from 1 to 65535\n"
		 "t:10:9: nat[4].to: '10.2.41.17:99999' is not ADDRESS, ADDRESS:PORT or \"[IPV6]:PO"
		 "RT\" with a port from 1 to 65535\n"},
	{"protocols",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {protocol: icmp}\n"
		 "    to: 10.2.41.17\n"
		 "  - match: {protocol: 17}\n"
		 "    to: 10.2.41.17\n"
		 "  - match: {protocol: UDP}\n"
		 "    to: 10.2.41.17\n"),
		 "t:3:23: nat[1].match.protocol: 'icmp' is not udp or tcp\n"
		 "t:5:23: nat[2].match.protocol: '17' is not udp or tcp\n"
		 "t:7:23: nat[3].match.protocol: 'UDP' is not udp or tcp\n"},
	{"targets that are no host",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1}\n"
		 "    to: 0.0.0.0\n"
		 "  - match: {source_port: 2}\n"
		 "    to: \"::\"\n"
		 "  - match: {source_port: 3}\n"
		 "    to: 224.0.0.1:5\n"
		 "  - match: {source_port: 4}\n"
		 "    to: ff02::1\n"
		 "  - match: {source_port: 5}\n"
		 "    to: 255.255.255.255\n"),
		 "t:4:9: nat[1].to: '0.0.0.0' is the unspecified address: a rule sends to the "
		 "address of one host\n"
		 "t:6:9: nat[2].to: '::' is the unspecified address: a rule sends to the address "
		 "of one host\n"
		 "t:8:9: nat[3].to: '224.0.0.1:5' is a multicast address: a rule sends to the "
		 "address of one host\n"
		 "t:10:9: nat[4].to: 'ff02::1' is a multicast address: a rule sends to the address "
		 "of one host\n"
		 "t:12:9: nat[5].to: '255.255.255.255' is the broadcast address: a rule sends "
		 "to the address of one host\n"},
	{"targets that no packet gets to from outside",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1}\n"
		 "    to: 127.0.0.1\n"
		 "  - match: {source_port: 2}\n"
		 "    to: 127.255.255.254:80\n"
		 "  - match: {source_port: 3}\n"
		 "    to: \"[::1]:80\"\n"
		 "  - match: {source_port: 4}\n"
		 "    to: 0.1.2.3\n"
		 "  - match: {source_port: 5}\n"
		 "    to: 240.0.0.1\n"
		 "  - match: {source_port: 6}\n"
		 "    to: 255.255.255.254\n"
		 "  - match: {source_port: 7}\n"
		 "    to: fe80::1\n"
		 "  - match: {source_port: 8}\n"
		 "    to: febf::1\n"
		 "  - match: {source_port: 9}\n"
		 "    to: 239.255.255.255\n"),
		 "t:4:9: nat[1].to: '127.0.0.1' is a loopback address: every kernel drops a packet for "
		 "it that comes from outside; give an address of an interface\n"
		 "t:6:9: nat[2].to: '127.255.255.254:80' is a loopback address: every kernel drops a packet "
		 "for it that comes from outside; give an address of an interface\n"
		 "t:8:9: nat[3].to: '[::1]:80' is a loopback address: every kernel drops a packet for "
		 "it that comes from outside; give an address of an interface\n"
		 "t:10:9: nat[4].to: '0.1.2.3' is an address of no host, as all of 0.0.0.0/8: a "
		 "rule sends to the address of one host\n"
		 "t:12:9: nat[5].to: '240.0.0.1' is a reserved address, as all of 240.0.0.0/4: a "
		 "rule sends to the address of one host\n"
		 "t:14:9: nat[6].to: '255.255.255.254' is a reserved address, as all of "
		 "240.0.0.0/4: a rule sends to the address of one host\n"
		 "t:16:9: nat[7].to: 'fe80::1' is a link-local address, which is another host on "
		 "each link: give one that is valid beyond the link\n"
		 "t:18:9: nat[8].to: 'febf::1' is a link-local address, which is another host on "
		 "each link: give one that is valid beyond the link\n"
		 "t:20:9: nat[9].to: '239.255.255.255' is a multicast address: a rule sends to "
		 "the address of one host\n"},
	{"neighbours of those, which are hosts",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1}\n"
		 "    to: 1.0.0.0\n"
		 "  - match: {source_port: 2}\n"
		 "    to: 126.255.255.255\n"
		 "  - match: {source_port: 3}\n"
		 "    to: 128.0.0.0\n"
		 "  - match: {source_port: 4}\n"
		 "    to: 223.255.255.255\n"
		 "  - match: {source_port: 5}\n"
		 "    to: \"::2\"\n"
		 "  - match: {source_port: 6}\n"
		 "    to: fe7f::1\n"
		 "  - match: {source_port: 7}\n"
		 "    to: fec0::1\n"
		 "  - match: {source_port: 8}\n"
		 "    to: feff::1\n"),
		 ""},
	{"targets that are no address",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1}\n"
		 "    to: collector:8081\n"
		 "  - match: {source_port: 2}\n"
		 "    to: 10.2.41:8081\n"
		 "  - match: {source_port: 3}\n"
		 "    to: 10.0.0.0/8\n"
		 "  - match: {source_port: 4}\n"
		 "    to: \"::ffff:10.2.41.17\"\n"
		 "  - match: {source_port: 5}\n"
		 "    to: [10.2.41.17]\n"),
		 "t:4:9: nat[1].to: 'collector:8081' is not ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\""
		 " with a port from 1 to 65535\n"
		 "t:6:9: nat[2].to: '10.2.41:8081' is not ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\" "
		 "with a port from 1 to 65535\n"
		 "t:8:9: nat[3].to: '10.0.0.0/8' is not ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\" "
		 "with a port from 1 to 65535\n"
		 "t:10:9: nat[4].to: '::ffff:10.2.41.17' is an IPv4 address written as IPv6: write "
		 "10.2.41.17\n"
		 "t:12:9: nat[5].to: this is a list; give ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\"\n"},
	{"host bits, with the right prefix",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source: 10.2.41.20/8}\n"
		 "    to: 10.2.41.17\n"
		 "  - match: {destination: \"2001:db8::1/32\"}\n"
		 "    to: 2001:db8::2\n"),
		 "t:3:21: nat[1].match.source: '10.2.41.20/8' has bits set behind its prefix: "
		 "write 10.0.0.0/8, or 10.2.41.20 for one address\n"
		 "t:5:26: nat[2].match.destination: '2001:db8::1/32' has bits set behind its prefix"
		 ": write 2001:db8::/32, or 2001:db8::1 for one address\n"},
	{"IPv4 matches with IPv6 targets, and the reverse",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source: 10.0.0.0/8}\n"
		 "    to: 2001:db8::1\n"
		 "  - match: {destination: 2001:db8::/32}\n"
		 "    to: 10.2.41.17:1\n"),
		 "t:3:13: nat[1].match.source: 10.0.0.0/8 is IPv4, but the rule also names 2001:db8"
		 "::1: a rule is for one family\n"
		 "t:5:13: nat[2].match.destination: 2001:db8::/32 is IPv6, but the rule also names "
		 "10.2.41.17: a rule is for one family\n"},
	{"source and destination of two families",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source: 10.0.0.0/8, destination: 2001:db8::/32}\n"
		 "    to: 10.2.41.17\n"),
		 "t:3:33: nat[1].match.destination: 2001:db8::/32 is IPv6, but the rule also names "
		 "10.2.41.17: a rule is for one family\n"},
	{"where the target is wrong, source and destination still have to agree",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source: 10.0.0.0/8, destination: 2001:db8::/32}\n"
		 "    to: x\n"),
		 "t:3:33: nat[1].match.destination: 2001:db8::/32 is IPv6, but the rule also names "
		 "10.0.0.0: a rule is for one family\n"
		 "t:4:9: nat[1].to: 'x' is not ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\" with a "
		 "port from 1 to 65535\n"},
	{"a VNI that is not listed",
		 TEXT("nat:\n"
		 "  - match: {vni: 7}\n"
		 "    to: 10.2.41.17\n"
		 "listen: {interface: ens5, vnis: [5, 6]}\n"),
		 "t:2:13: nat[1].match.vni: 7 is not in listen.vnis: the rule can never match\n"},
	{"every VNI is listed with any",
		 TEXT("listen: {interface: ens5, vnis: any}\n"
		 "nat:\n"
		 "  - match: {vni: 7}\n"
		 "    to: 10.2.41.17\n"),
		 ""},
	{"where the list of VNIs is wrong, rules are not held against it",
		 TEXT("listen: {interface: ens5, vnis: [5, x]}\n"
		 "nat:\n"
		 "  - match: {vni: 7}\n"
		 "    to: 10.2.41.17\n"),
		 "t:1:37: listen.vnis[2]: 'x' is not a number from 0 to 16777215; it takes decimal "
		 "digits only\n"},
};
/* clang-format on */

static void rules(void **state)
{
	(void)state;
	run_rows(rows, COUNT_OF(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rules)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
