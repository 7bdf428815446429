// SPDX-License-Identifier: GPL-2.0-only
/* Texts that are no YAML, parts of YAML that a configuration may not use, and hostile texts. */
#include "tests/unit/config/config_rows.h"

/* clang-format off */
static const struct config_row rows[] = {
	{"an indentation that is wrong",
		 TEXT("listen:\n"
		 "  interface: ens5\n"
		 " port: 1\n"),
		 "t:3:2: not valid YAML: did not find expected key while parsing a block mapping "
		 "that began in line 1\n"},
	{"a tab as indentation",
		 TEXT("listen:\n"
		 "\tinterface: ens5\n"),
		 "t:2:1: not valid YAML: found character that cannot start any token while scanning"
		 " for the next token that began in line 2; indent with spaces, not with tabs\n"},
	{"a bracket that is not closed",
		 TEXT("listen: {interface: ens5\n"),
		 "t:2:1: not valid YAML: did not find expected ',' or '}' while parsing a flow "
		 "mapping that began in line 1\n"},
	{"what came before a syntax error is checked as well",
		 TEXT("listen: {interface: ens5, port: 0}\n"
		 "log: [\n"),
		 "t:1:33: listen.port: '0' is out of range: it takes a number from 1 to 65535\n"
		 "t:2:6: log: this is a list; give a mapping\n"
		 "t:3:1: not valid YAML: did not find expected node content while parsing a flow "
		 "node that began in line 3\n"},
	{"an IPv6 address that needs quotes",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match: {source_port: 1}\n"
		 "    to: [2001:db8::1]:8081\n"),
		 "t:4:9: nat[1].to: this is a list; give ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\"\n"
		 "t:4:22: not valid YAML: did not find expected key while parsing a block mapping "
		 "that began in line 3; an IPv6 address with a port needs quotes: \"[2001:db8::1]:8"
		 "081\"\n"},
	{"an address that needs quotes because of its first letter",
		 TEXT("listen: {interface: ens5, sources: [::1]}\n"),
		 "t:1:37: not valid YAML: did not find expected node content while parsing a flow "
		 "node that began in line 1; an address that begins with a colon needs quotes: "
		 "\"::1\"\n"},
	{"outside of brackets it does not",
		 TEXT("listen: {interface: ens5}\n"
		 "nat:\n"
		 "  - match:\n"
		 "      source: ::1\n"
		 "    to: ::2\n"),
		 ""},
	{"an anchor and an alias",
		 TEXT("listen: &l {interface: ens5}\n"
		 "log: {level: *l}\n"),
		 "t:1:9: listen: an anchor (&name) has no meaning here: write the value without "
		 "it\n"
		 "t:2:14: log.level: an alias (*name) has no meaning here: write the value out\n"},
	{"merging",
		 TEXT("listen: {interface: ens5}\n"
		 "<<: {log: {level: info}}\n"),
		 "t:2:1: <<: merging has no meaning here: write the keys out\n"},
	{"a tag",
		 TEXT("listen: {interface: !!str ens5}\n"),
		 "t:1:21: listen.interface: a tag (!name) has no meaning here: write the value "
		 "without it\n"},
	{"a local tag on a mapping",
		 TEXT("listen: !mine {interface: ens5}\n"),
		 "t:1:9: listen: a tag (!name) has no meaning here: write the value without it\n"},
	{"a second document",
		 TEXT("listen: {interface: ens5}\n"
		 "---\n"
		 "listen: {interface: ens5}\n"),
		 "t:2:1: a second document begins: one file holds one configuration\n"},
	{"an end of the document is none",
		 TEXT("listen: {interface: ens5}\n"
		 "...\n"),
		 ""},
	{"a version is not objected to",
		 TEXT("%YAML 1.1\n"
		 "---\n"
		 "listen: {interface: ens5}\n"),
		 ""},
	{"a key that is a list",
		 TEXT("listen: {interface: ens5}\n"
		 "? [a, b]\n"
		 ": c\n"),
		 "t:2:3: a key is a single word\n"},
	{"control characters do not reach the terminal",
		 TEXT("listen: {interface: \"a\\x1b[31m\"}\n"
		 "\"\\x1b]0;owned\\x07\": 1\n"),
		 "t:1:21: listen.interface: 'a\\x1b[31m' is not the name of a network interface: "
		 "no blanks, '/', ':' or special characters\n"
		 "t:2:1: \\x1b]0;owned\\x07: unknown key; did you mean 'forward'?\n"},
	{"a zero byte in a value",
		 TEXT("listen: {interface: \"ens5\\0\"}\n"),
		 "t:1:21: listen.interface: there is a zero byte in it\n"},
	{"a zero byte in the file",
		 TEXT("listen: {interface: ens5}\n"
		 "#\000\n"),
		 "t:2:2: not a text file in UTF-8: control characters are not allowed (byte 0x00)\n"},
	{"an escape character in the file",
		 TEXT("listen: {interface: ens5}\n"
		 "# \033[31m\n"),
		 "t:2:3: not a text file in UTF-8: control characters are not allowed (byte 0x1b)\n"},
	{"what is no UTF-8",
		 TEXT("listen: {interface: ens5}\n"
		 "# \377\376\n"),
		 "t:2:3: not a text file in UTF-8: invalid leading UTF-8 octet (byte 0xff)\n"},
	{"Latin-1: libyaml does not say which byte",
		 TEXT("listen: {interface: ens5}\n"
		 "# caf\351\n"),
		 "t:2:6: not a text file in UTF-8: incomplete UTF-8 octet sequence (byte 0xe9)\n"},
	{"a character that is none: the byte is the file's",
		 TEXT("listen: {interface: ens5}\n"
		 "# \357\277\276\n"),
		 "t:2:3: not a text file in UTF-8: control characters are not allowed (byte 0xef)\n"},
	{"UTF-16",
		 TEXT("\377\376l\000i\000s\000t\000e\000n\000:\000 \000{\000i\000n\000t\000e\000r\000f\000"
		 "a\000c\000e\000:\000 \000e\000n\000s\0005\000}\000\n"
		 "\000"),
		 "t:1:1: not a text file in UTF-8: invalid leading UTF-8 octet (byte 0xff)\n"},
	{"a byte order mark is passed over",
		 TEXT("\357\273\277listen: {interface: ens5}\n"),
		 ""},
	{"lines may end as on Windows",
		 TEXT("listen:\r\n"
		 "  interface: ens5\r\n"
		 "  port: 1x\r\n"),
		 "t:3:9: listen.port: '1x' is not a number from 1 to 65535; it takes decimal digits"
		 " only\n"},
	{"letters beyond ASCII are escaped",
		 TEXT("listen: {interface: \342\200\256ens5}\n"),
		 "t:1:21: listen.interface: '\\xe2\\x80\\xaeens5' is not the name of a network "
		 "interface: no blanks, '/', ':' or special characters\n"},
};
/* clang-format on */

static void yaml(void **state)
{
	(void)state;
	run_rows(rows, COUNT_OF(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(yaml)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
