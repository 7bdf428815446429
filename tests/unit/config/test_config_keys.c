// SPDX-License-Identifier: GPL-2.0-only
/* Keys, types and ranges: every problem of a file, where it is and what would be right. */
#include "tests/unit/config/config_rows.h"

/* clang-format off */
static const struct config_row rows[] = {
	{"the smallest configuration",
		 TEXT("listen: {interface: ens5}\n"),
		 ""},
	{"an empty file lacks what is required",
		 TEXT(""),
		 "t:1:1: listen.interface: missing: name the network interface that receives the "
		 "tunnel\n"},
	{"so does one with comments only",
		 TEXT("# nothing\n"),
		 "t:1:1: listen.interface: missing: name the network interface that receives the "
		 "tunnel\n"},
	{"so does an empty document",
		 TEXT("---\n"),
		 "t:1:1: listen.interface: missing: name the network interface that receives the "
		 "tunnel\n"},
	{"a missing key is reported where its mapping stands",
		 TEXT("log: {level: info}\n"
		 "listen:\n"
		 "  port: 4789\n"),
		 "t:2:1: listen.interface: missing: name the network interface that receives the "
		 "tunnel\n"},
	{"headings with nothing below them are allowed",
		 TEXT("listen: {interface: ens5}\n"
		 "forward:\n"
		 "nat:\n"
		 "http:\n"),
		 ""},
	{"a file that is no mapping",
		 TEXT("ens5\n"),
		 "t:1:1: this is a single value; give a mapping\n"},
	{"a list at the top",
		 TEXT("- listen\n"),
		 "t:1:1: this is a list; give a mapping\n"},
	{"an unknown key, with the nearest known one",
		 TEXT("listen: {interface: ens5}\n"
		 "forward: {inteface: ens6}\n"
		 "loging: {}\n"),
		 "t:2:11: forward.inteface: unknown key; did you mean 'interface'?\n"
		 "t:3:1: loging: unknown key; did you mean 'log'?\n"},
	{"a key at the wrong place, with the right one",
		 TEXT("listen: {interface: ens5, mtu: 1500}\n"
		 "source_port: 1\n"
		 "port: 4789\n"),
		 "t:1:27: listen.mtu: unknown key; did you mean forward.mtu?\n"
		 "t:2:1: source_port: unknown key; did you mean nat[].match.source_port?\n"
		 "t:3:1: port: unknown key; did you mean listen.port?\n"},
	{"a key that resembles nothing still gets the nearest",
		 TEXT("listen: {interface: ens5}\n"
		 "xyzzy: 1\n"),
		 "t:2:1: xyzzy: unknown key; did you mean 'nat'?\n"},
	{"what stands below an unknown key is passed over",
		 TEXT("listen: {interface: ens5}\n"
		 "foo: {a: [1, {b: c}], listen: 3}\n"
		 "log: {level: loud}\n"),
		 "t:2:1: foo: unknown key; did you mean 'log'?\n"
		 "t:3:14: log.level: 'loud' is not error, warning, info or debug\n"},
	{"a duplicate key, with the line of the first",
		 TEXT("listen: {interface: ens5}\n"
		 "log:\n"
		 "  level: info\n"
		 "  level: debug\n"),
		 "t:4:3: log.level: duplicate key; it stands in line 3 already\n"},
	{"a duplicate section",
		 TEXT("listen: {interface: ens5}\n"
		 "listen: {interface: ens5}\n"),
		 "t:2:1: listen: duplicate key; it stands in line 1 already\n"},
	{"a mapping where a value belongs",
		 TEXT("listen: {interface: {name: ens5}}\n"),
		 "t:1:21: listen.interface: this is a mapping; give the name of a network interface"
		 "\n"},
	{"a list where a value belongs",
		 TEXT("listen: {interface: ens5, port: [4789]}\n"),
		 "t:1:33: listen.port: this is a list; give a number from 1 to 65535\n"},
	{"a value where a section belongs",
		 TEXT("listen: ens5\n"),
		 "t:1:1: listen.interface: missing: name the network interface that receives the "
		 "tunnel\n"
		 "t:1:9: listen: this is a single value; give a mapping\n"},
	{"a mapping where a list belongs",
		 TEXT("listen: {interface: ens5, vnis: {1: 2}, sources: {a: b}}\n"
		 "nat: {match: 1}\n"),
		 "t:1:33: listen.vnis: this is a mapping; give a list of numbers from 0 to 16777215"
		 ", as in [1, 2], or any\n"
		 "t:1:50: listen.sources: this is a mapping; give a list of prefixes, as in [10.0.0"
		 ".0/8, 192.0.2.1], or all\n"
		 "t:2:6: nat: this is a mapping; give a list of rules\n"},
	{"single values where lists belong",
		 TEXT("listen: {interface: ens5, vnis: 7, sources: 10.0.0.0/8}\n"
		 "nat: none\n"),
		 "t:1:33: listen.vnis: '7' is no list: write [7], or any\n"
		 "t:1:45: listen.sources: '10.0.0.0/8' is no list: write [10.0.0.0/8], or all\n"
		 "t:2:6: nat: this is a single value; give a list of rules\n"},
	{"a list that is empty would let nothing in",
		 TEXT("listen: {interface: ens5, vnis: [], sources: []}\n"),
		 "t:1:33: listen.vnis: the list is empty: nothing would be accepted\n"
		 "t:1:46: listen.sources: the list is empty: nothing would be accepted\n"},
	{"a key without a value",
		 TEXT("listen: {interface: , port: ~, vnis: null, sources: }\n"),
		 "t:1:21: listen.interface: there is no value: give the name of a network interface"
		 "\n"
		 "t:1:29: listen.port: there is no value: give a number from 1 to 65535, or leave "
		 "the key out for the default (4789)\n"
		 "t:1:38: listen.vnis: there is no value: give a list of numbers from 0 to 16777215"
		 ", as in [1, 2], or any\n"
		 "t:1:53: listen.sources: there is no value: give a list of prefixes, as in [10.0.0"
		 ".0/8, 192.0.2.1], or all\n"},
	{"words for every VNI and every source",
		 TEXT("listen: {interface: ens5, vnis: any, sources: all}\n"),
		 ""},
	{"numbers are decimal and whole",
		 TEXT("listen: {interface: ens5}\n"
		 "monitor: {interval: 1.5, target_pps: 0x10, warning_pps: 1e3}\n"
		 "forward: {mtu: -1}\n"
		 "listen2: 0\n"),
		 "t:2:21: monitor.interval: '1.5' is not a number from 1 to 86400; it takes decimal"
		 " digits only\n"
		 "t:2:38: monitor.target_pps: '0x10' is not a number from 0 to 1000000000; it "
		 "takes decimal digits only\n"
		 "t:2:57: monitor.warning_pps: '1e3' is not a number from 0 to 1000000000; it "
		 "takes decimal digits only\n"
		 "t:3:16: forward.mtu: '-1' is not a number from 68 to 65535, or auto; it takes "
		 "decimal digits only\n"
		 "t:4:1: listen2: unknown key; did you mean 'listen'?\n"},
	{"an octal-looking number is not guessed at",
		 TEXT("listen: {interface: ens5, port: 010, vnis: [00]}\n"),
		 "t:1:33: listen.port: '010' begins with a zero, which some read as octal: write "
		 "10\n"
		 "t:1:45: listen.vnis[1]: '00' begins with a zero, which some read as octal: write "
		 "0\n"},
	{"numbers of other notations",
		 TEXT("listen: {interface: ens5, port: 4_789, vnis: [+1, 1:30, 0o7]}\n"),
		 "t:1:33: listen.port: '4_789' is not a number from 1 to 65535; it takes decimal "
		 "digits only\n"
		 "t:1:47: listen.vnis[1]: '+1' is not a number from 0 to 16777215; it takes decimal"
		 " digits only\n"
		 "t:1:51: listen.vnis[2]: '1:30' is not a number from 0 to 16777215; it takes "
		 "decimal digits only\n"
		 "t:1:57: listen.vnis[3]: '0o7' is not a number from 0 to 16777215; it takes decima"
		 "l digits only\n"},
	{"numbers out of range",
		 TEXT("listen: {interface: ens5, port: 65536, vnis: [16777216]}\n"
		 "forward: {mtu: 67}\n"
		 "monitor: {interval: 0}\n"
		 "inner: {clear_df_above: 65536}\n"),
		 "t:1:33: listen.port: '65536' is out of range: it takes a number from 1 to 65535\n"
		 "t:1:47: listen.vnis[1]: '16777216' is out of range: it takes a number from 0 "
		 "to 16777215\n"
		 "t:2:16: forward.mtu: '67' is out of range: it takes a number from 68 to 65535, "
		 "or auto\n"
		 "t:3:21: monitor.interval: '0' is out of range: it takes a number from 1 to 86400\n"
		 "t:4:25: inner.clear_df_above: '65536' is out of range: it takes a number from "
		 "0 to 65535, or never\n"},
	{"a number that no machine holds",
		 TEXT("listen: {interface: ens5, port: 99999999999999999999999999}\n"),
		 "t:1:33: listen.port: '99999999999999999999999999' is out of range: it takes "
		 "a number from 1 to 65535\n"},
	{"the ends of the ranges",
		 TEXT("listen: {interface: ens5, port: 65535, vnis: [0, 16777215]}\n"
		 "forward: {mtu: 68}\n"
		 "inner: {clear_df_above: 0}\n"
		 "monitor: {interval: 86400}\n"),
		 ""},
	{"a number in quotes is text",
		 TEXT("listen: {interface: ens5, port: \"4789\"}\n"),
		 "t:1:33: listen.port: '4789' is text: write it without the quotes\n"},
	{"text may stand in quotes",
		 TEXT("listen: {interface: \"ens5\", xdp_mode: 'native'}\n"),
		 ""},
	{"choices",
		 TEXT("listen: {interface: ens5, xdp_mode: Native}\n"
		 "forward: {oversize: forward, unmatched: keep}\n"
		 "inner: {udp_checksum: none, truncated: \"\"}\n"),
		 "t:1:37: listen.xdp_mode: 'Native' is not auto, native or generic\n"
		 "t:2:21: forward.oversize: 'forward' is not fragment, pass or drop\n"
		 "t:2:41: forward.unmatched: 'keep' is not drop, pass or forward\n"
		 "t:3:23: inner.udp_checksum: 'none' is not update, zero or preserve\n"
		 "t:3:40: inner.truncated: '' is not drop, pass or forward\n"},
	{"interface names that the kernel refuses",
		 TEXT("listen: {interface: a/b}\n"
		 "forward: {interface: abcdefghijklmnop}\n"),
		 "t:1:21: listen.interface: 'a/b' is not the name of a network interface: no blanks"
		 ", '/', ':' or special characters\n"
		 "t:2:22: forward.interface: 'abcdefghijklmnop' is not the name of a network interf"
		 "ace: it is longer than 15 characters\n"},
	{"and others",
		 TEXT("listen: {interface: ..}\n"
		 "forward: {interface: \"a b\"}\n"),
		 "t:1:21: listen.interface: '..' is not the name of a network interface: the kernel"
		 " keeps it for directories\n"
		 "t:2:22: forward.interface: 'a b' is not the name of a network interface: no "
		 "blanks, '/', ':' or special characters\n"},
	{"an interface name of a word that YAML knows",
		 TEXT("listen: {interface: on}\n"
		 "forward: {interface: 123456789012345}\n"),
		 ""},
	{"next hops",
		 TEXT("listen: {interface: ens5}\n"
		 "forward: {next_hop: via}\n"),
		 "t:2:21: forward.next_hop: 'via' is not route, keep or a MAC as in 02:00:00:00:00:"
		 "01\n"},
	{"a next hop that is no host",
		 TEXT("listen: {interface: ens5}\n"
		 "forward: {next_hop: ff:ff:ff:ff:ff:ff}\n"),
		 "t:2:21: forward.next_hop: 'ff:ff:ff:ff:ff:ff' is not the MAC of one host\n"},
	{"the MTU of the interface, and DF kept",
		 TEXT("listen: {interface: ens5}\n"
		 "forward: {mtu: auto}\n"
		 "inner: {clear_df_above: never}\n"),
		 ""},
	{"source prefixes",
		 TEXT("listen: {interface: ens5, sources: [10.0.0.1/8, 10.0.0.0/33, host, \"2001:db8::1/"
		 "32\", \"::ffff:10.0.0.1\"]}\n"),
		 "t:1:37: listen.sources[1]: '10.0.0.1/8' has bits set behind its prefix: write "
		 "10.0.0.0/8, or 10.0.0.1 for one address\n"
		 "t:1:49: listen.sources[2]: '10.0.0.0/33' is not an address or a prefix, as in "
		 "10.0.0.0/8 or 2001:db8::/32\n"
		 "t:1:62: listen.sources[3]: 'host' is not an address or a prefix, as in 10.0.0.0/8"
		 " or 2001:db8::/32\n"
		 "t:1:68: listen.sources[4]: '2001:db8::1/32' has bits set behind its prefix: "
		 "write 2001:db8::/32, or 2001:db8::1 for one address\n"
		 "t:1:86: listen.sources[5]: '::ffff:10.0.0.1' is an IPv4 address written as IPv6: "
		 "write 10.0.0.1\n"},
	{"what is listed twice",
		 TEXT("listen: {interface: ens5, vnis: [1, 2, 1, 1], sources: [10.0.0.0/8, 192.0.2.1, "
		 "192.0.2.1/32]}\n"),
		 "t:1:40: listen.vnis[3]: 1 is listed twice; it is listen.vnis[1] already\n"
		 "t:1:43: listen.vnis[4]: 1 is listed twice; it is listen.vnis[1] already\n"
		 "t:1:80: listen.sources[3]: 192.0.2.1 is listed twice; it is listen.sources[2] "
		 "already\n"},
	{"elements that are no single values",
		 TEXT("listen: {interface: ens5, vnis: [1, [2], any], sources: [{}]}\n"),
		 "t:1:37: listen.vnis[2]: this is a list; give a number from 0 to 16777215\n"
		 "t:1:42: listen.vnis[3]: 'any' is not a number from 0 to 16777215; it takes decima"
		 "l digits only\n"
		 "t:1:58: listen.sources[1]: this is a mapping; give an address or a prefix, as "
		 "in 10.0.0.0/8 or 2001:db8::/32\n"},
	{"warning_pps above target_pps",
		 TEXT("listen: {interface: ens5}\n"
		 "monitor: {target_pps: 100, warning_pps: 101}\n"),
		 "t:2:28: monitor.warning_pps: 101 is more than monitor.target_pps (100): give "
		 "at most that\n"},
	{"warning_pps above the default of target_pps",
		 TEXT("listen: {interface: ens5}\n"
		 "monitor: {warning_pps: 85001}\n"),
		 "t:2:11: monitor.warning_pps: 85001 is more than monitor.target_pps (85000): "
		 "give at most that\n"},
	{"target_pps below the default of warning_pps",
		 TEXT("listen: {interface: ens5}\n"
		 "monitor: {target_pps: 50000}\n"),
		 "t:2:11: monitor.target_pps: 50000 is less than monitor.warning_pps (60000, the "
		 "default): give a lower monitor.warning_pps, too\n"},
	{"a wrong rate is not compared",
		 TEXT("listen: {interface: ens5}\n"
		 "monitor: {target_pps: 1x, warning_pps: 90000}\n"),
		 "t:2:23: monitor.target_pps: '1x' is not a number from 0 to 1000000000; it takes "
		 "decimal digits only\n"},
	{"HTTP can be turned off in many words",
		 TEXT("listen: {interface: ens5}\n"
		 "http: off\n"),
		 ""},
	{"here, too",
		 TEXT("listen: {interface: ens5}\n"
		 "http: {listen: Off}\n"),
		 ""},
	{"and with what YAML knows as false",
		 TEXT("listen: {interface: ens5}\n"
		 "http: {listen: no}\n"),
		 ""},
	{"where HTTP listens",
		 TEXT("listen: {interface: ens5}\n"
		 "http: {listen: \"[::1]:9789\"}\n"),
		 ""},
	{"HTTP needs an address",
		 TEXT("listen: {interface: ens5}\n"
		 "http: {listen: 9789}\n"),
		 "t:2:16: http.listen: '9789' is not ADDRESS:PORT, as in 127.0.0.1:9789, or off; "
		 "0.0.0.0:9789 or \"[::]:9789\" for all addresses\n"},
	{"and a port",
		 TEXT("listen: {interface: ens5}\n"
		 "http: {listen: 127.0.0.1}\n"),
		 "t:2:16: http.listen: '127.0.0.1' is not ADDRESS:PORT, as in 127.0.0.1:9789, "
		 "or off; 0.0.0.0:9789 or \"[::]:9789\" for all addresses\n"},
	{"and no name",
		 TEXT("listen: {interface: ens5}\n"
		 "http: localhost:9789\n"),
		 "t:2:7: http.listen: 'localhost:9789' is not ADDRESS:PORT, as in 127.0.0.1:9789, "
		 "or off; 0.0.0.0:9789 or \"[::]:9789\" for all addresses\n"},
	{"problems come in the order of their places",
		 TEXT("log: {level: x}\n"
		 "listen: {port: 0}\n"
		 "monitor: {interval: x}\n"),
		 "t:1:14: log.level: 'x' is not error, warning, info or debug\n"
		 "t:2:1: listen.interface: missing: name the network interface that receives the "
		 "tunnel\n"
		 "t:2:16: listen.port: '0' is out of range: it takes a number from 1 to 65535\n"
		 "t:3:21: monitor.interval: 'x' is not a number from 1 to 86400; it takes decimal "
		 "digits only\n"},
};
/* clang-format on */

static void keys(void **state)
{
	(void)state;
	run_rows(rows, COUNT_OF(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(keys)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
