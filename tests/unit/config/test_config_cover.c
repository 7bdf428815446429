// SPDX-License-Identifier: GPL-2.0-only
/* Rules that can never match because of earlier rules, and rules of too many shapes. */
#include "tests/unit/config/config_rows.h"

#define ONE_VNI  "listen: {interface: ens5, vnis: [7]}\nnat:\n"
#define TWO_VNIS "listen: {interface: ens5, vnis: [7, 8]}\nnat:\n"
#define ANY_VNI  "listen: {interface: ens5, vnis: any}\nnat:\n"
#define TO       "to: 10.0.0.9}\n"
#define TO6      "to: 'fd00::9'}\n"

#define DEAD(line, rule) "t:" #line ":6: nat[" #rule "].match: the rule can never match: "
#define BY(rule, line)   "rule " #rule " (line " #line ") comes first and covers it"
#define BY_BOTH(udp, line1, tcp, line2)                                         \
	"rules " #udp " (udp, line " #line1 ") and " #tcp " (tcp, line " #line2 \
	") come first and cover it"
#define ONLY_VNI ", as no other VNI is in listen.vnis"

/* clang-format off */
static const struct config_row rows[] = {
	{"the same twice",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source_port: 1}, " TO),
		 DEAD(4, 2) BY(1, 3) "\n"},
	{"all ports before one",
		 TEXT(ONE_VNI
		 "  - {match: {source: 10.0.0.0/8}, " TO
		 "  - {match: {source: 10.0.0.0/8, source_port: 1}, " TO
		 "  - {match: {source: 10.0.0.0/8, destination_port: 1}, " TO),
		 DEAD(4, 2) BY(1, 3) "\n"
		 DEAD(5, 3) BY(1, 3) "\n"},
	{"one port before all, or before the other port",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {destination_port: 1}, " TO
		 "  - {match: {source: 10.0.0.0/8}, " TO),
		 ""},
	{"a prefix before an address of it, and before one that is not of it",
		 TEXT(ONE_VNI
		 "  - {match: {destination: 10.2.0.0/15}, " TO
		 "  - {match: {destination: 10.3.0.1}, " TO
		 "  - {match: {destination: 10.4.0.1}, " TO
		 "  - {match: {source: 10.3.0.1}, " TO),
		 DEAD(4, 2) BY(1, 3) "\n"},
	{"an address before its prefix",
		 TEXT(ONE_VNI
		 "  - {match: {source: 10.2.0.1}, " TO
		 "  - {match: {source: 10.2.0.0/16}, " TO),
		 ""},
	{"prefixes of IPv6, within both halves of an address",
		 TEXT(ONE_VNI
		 "  - {match: {source: 'fd00::/63'}, " TO6
		 "  - {match: {source: 'fd00:0:0:1::/64'}, " TO6
		 "  - {match: {source: 'fd00:0:0:2::/65'}, " TO6
		 "  - {match: {source: 'fd00:0:0:2:4000::/66'}, " TO6
		 "  - {match: {source: 'fd00:0:0:2:8000::/66'}, " TO6),
		 DEAD(4, 2) BY(1, 3) "\n"
		 DEAD(6, 4) BY(3, 5) "\n"},
	{"all addresses are as good as no prefix",
		 TEXT(ONE_VNI
		 "  - {match: {source: 0.0.0.0/0, source_port: 1}, " TO
		 "  - {match: {source_port: 1}, " TO),
		 DEAD(4, 2) BY(1, 3) "\n"},
	{"two halves of a prefix before the prefix: not detected",
		 TEXT(ONE_VNI
		 "  - {match: {source: 10.0.0.0/9}, " TO
		 "  - {match: {source: 10.128.0.0/9}, " TO
		 "  - {match: {source: 10.0.0.0/8}, " TO),
		 ""},
	{"the families have nothing to do with each other",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source_port: 1}, " TO6),
		 ""},
	{"the first of several is named",
		 TEXT(ONE_VNI
		 "  - {match: {source: 10.0.0.0/8}, " TO
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source: 10.1.0.0/16, source_port: 1}, " TO
		 "  - {match: {source: 10.1.1.0/24, source_port: 1}, " TO),
		 DEAD(5, 3) BY(1, 3) "\n"
		 DEAD(6, 4) BY(1, 3) "\n"},
	{"a rule for both protocols before one for each",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source_port: 1, protocol: udp}, " TO
		 "  - {match: {source_port: 1, protocol: tcp}, " TO),
		 DEAD(4, 2) BY(1, 3) "\n"
		 DEAD(5, 3) BY(1, 3) "\n"},
	{"one protocol before the other, and before both",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1, protocol: udp}, " TO
		 "  - {match: {source_port: 1, protocol: tcp, source: 10.0.0.0/8}, " TO
		 "  - {match: {source_port: 1}, " TO),
		 ""},
	{"each protocol by a rule of its own, in either order",
		 TEXT(ONE_VNI
		 "  - {match: {protocol: tcp, source_port: 1}, " TO
		 "  - {match: {protocol: udp}, " TO
		 "  - {match: {source_port: 1}, " TO),
		 DEAD(5, 3) BY_BOTH(2, 4, 1, 3) "\n"},
	{"one VNI is listed: to name it changes nothing",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1, vni: 7}, " TO
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source_port: 2}, " TO
		 "  - {match: {source_port: 2, vni: 7}, " TO),
		 DEAD(4, 2) BY(1, 3) ONLY_VNI "\n"
		 DEAD(6, 4) BY(3, 5) "\n"},
	{"the same for each protocol",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1, protocol: udp}, " TO
		 "  - {match: {source_port: 1, protocol: tcp, vni: 7}, " TO
		 "  - {match: {source_port: 1}, " TO),
		 DEAD(5, 3) BY_BOTH(1, 3, 2, 4) ONLY_VNI "\n"},
	{"two are listed",
		 TEXT(TWO_VNIS
		 "  - {match: {source_port: 1, vni: 7}, " TO
		 "  - {match: {source_port: 1, vni: 8}, " TO
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source_port: 1, vni: 8}, " TO
		 "  - {match: {source_port: 1, vni: 7}, " TO),
		 DEAD(6, 4) BY(2, 4) "\n"
		 DEAD(7, 5) BY(1, 3) "\n"},
	{"all are",
		 TEXT(ANY_VNI
		 "  - {match: {source_port: 1, vni: 7}, " TO
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source_port: 1, vni: 8}, " TO),
		 DEAD(5, 3) BY(2, 4) "\n"},
	{"the list of VNIs is wrong",
		 TEXT("listen: {interface: ens5, vnis: [x]}\nnat:\n"
		 "  - {match: {source_port: 1, vni: 7}, " TO
		 "  - {match: {source_port: 1}, " TO),
		 "t:1:34: listen.vnis[1]: 'x' is not a number from 0 to 16777215; it takes decimal "
		 "digits only\n"},
	{"refused rules cover nothing, and nothing covers them",
		 TEXT(ONE_VNI
		 "  - {match: {source_port: 1}, to: x}\n"
		 "  - {match: {source_port: 1}, " TO
		 "  - {match: {source_port: 1, vni: 9}, " TO
		 "  - {match: {source_port: 1, protocol: udp}, " TO),
		 "t:3:35: nat[1].to: 'x' is not ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\" with a port "
		 "from 1 to 65535\n"
		 "t:5:30: nat[3].match.vni: 9 is not in listen.vnis: the rule can never match\n"
		 DEAD(6, 4) BY(2, 4) "\n"},
};
/* clang-format on */

static void dead_rules(void **state)
{
	(void)state;
	run_rows(rows, COUNT_OF(rows));
}

/* Rules of the command line come first. Rules of the file that they cover are dropped silently. */
static void said_beside_the_file(void **state)
{
	static const struct {
		const char *sentence;
		const char *beside[2]; /* on the command line: SOURCE_PORT ADDRESS */
		const char *file;
		const char *problems;
		const char *kept; /* last byte of each remaining target */
	} cases[] = {
		{"the file's rule goes",
		 {"1 10.0.0.1"},
		 "  - {match: {source_port: 1}, to: 10.0.0.2}\n"
		 "  - {match: {source_port: 2}, to: 10.0.0.3}\n",
		 "",
		 "1 3"},
		{"so does a rule that matches a part of it",
		 {"1 10.0.0.1"},
		 "  - {match: {source_port: 1, protocol: udp, vni: 7}, to: 10.0.0.2}\n",
		 "",
		 "1"},
		{"a rule that matches other ports, too, stays",
		 {"1 10.0.0.1"},
		 "  - {match: {source: 10.0.0.0/8}, to: 10.0.0.2}\n",
		 "",
		 "1 2"},
		{"a rule of the other family stays",
		 {"1 10.0.0.1"},
		 "  - {match: {source_port: 1}, to: 'fd00::2'}\n",
		 "",
		 "1 2"},
		{"the file's own mistakes are reported, with the numbers of the file",
		 {"1 10.0.0.1"},
		 "  - {match: {source_port: 1}, to: 10.0.0.2}\n"
		 "  - {match: {source_port: 2}, to: 10.0.0.3}\n"
		 "  - {match: {source_port: 2}, to: 10.0.0.4}\n",
		 DEAD(5, 3) BY(2, 4) "\n",
		 ""},
		{"so does a rule that a rule of the file covers, too",
		 {"1 10.0.0.1"},
		 "  - {match: {source: 10.0.0.0/8}, to: 10.0.0.2}\n"
		 "  - {match: {source_port: 1, source: 10.0.0.0/8}, to: 10.0.0.3}\n",
		 "",
		 "1 2"},
		{"so does the second of two equal rules of the command line",
		 {"1 10.0.0.1", "1 10.0.0.2"},
		 "  - {match: {source_port: 3}, to: 10.0.0.3}\n",
		 "",
		 "1 3"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct config_override overrides[2];
		struct config config;
		char text[512], kept[64] = "";
		size_t count = 0;
		char *printed;

		for (; count < 2 && cases[i].beside[count]; count++)
			overrides[count] =
				(struct config_override){"nat", cases[i].beside[count], "-s"};
		snprintf(text, sizeof(text), ONE_VNI "%s", cases[i].file);
		printed = load_text(&config, text, strlen(text), overrides, count);
		for (size_t r = 0; r < config.rule_count; r++) {
			const struct ip_address *to = &config.rules[r].to.address;
			size_t used = strlen(kept);

			snprintf(kept + used, sizeof(kept) - used, "%s%d", used ? " " : "",
				 to->bytes[to->version == 4 ? 3 : 15]);
		}
		failed += row_differs(cases[i].sentence, printed, cases[i].problems);
		failed += row_differs(cases[i].sentence, kept, cases[i].kept);
		free(printed);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

/* Rules of `count` different shapes: prefix lengths from 0, with and without a protocol. */
static void print_shapes(FILE *stream, int version, size_t count)
{
	static const char *const protocols[] = {"udp", "tcp"};

	for (size_t i = 0; i < count; i++) {
		fprintf(stream, "  - {match: {source: '%s/%zu', source_port: %zu",
			version == 4 ? "0.0.0.0" : "::", i / 2, i + 1);
		if (i % 2)
			fprintf(stream, ", protocol: %s", protocols[i / 2 % 2]);
		fprintf(stream, "}, %s", version == 4 ? TO : TO6);
	}
}

static void shapes(void **state)
{
	static const struct {
		const char *sentence;
		size_t ipv4;
		size_t ipv6;
		const char *more; /* one more rule */
		const char *problems;
	} cases[] = {
		{"as many as fit of both families", 64, 64, "", ""},
		{"once more the first, with another value", 64, 0,
		 "  - {match: {source: 0.0.0.0/0, source_port: 99}, " TO, ""},
		{"udp and tcp are told apart alike", 64, 0,
		 "  - {match: {source: 0.0.0.0/0, source_port: 99, protocol: tcp}, " TO, ""},
		{"a prefix more of IPv4", 64, 0,
		 "  - {match: {source: 0.0.0.0/32, source_port: 99}, " TO,
		 "t:67:6: nat[65].match: the IPv4 rules compare too many different things: at most "
		 "64 combinations of keys and prefix lengths\n"},
		{"a key more of IPv6", 0, 64,
		 "  - {match: {source: '::/0', source_port: 99, vni: 7}, " TO6,
		 "t:67:6: nat[65].match: the IPv6 rules compare too many different things: at most "
		 "64 combinations of keys and prefix lengths\n"},
		{"refused rules do not count", 64, 0,
		 "  - {match: {vni: 9, source: 0.0.0.0/32}, " TO,
		 "t:67:14: nat[65].match.vni: 9 is not in listen.vnis: the rule can never match\n"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *text = NULL, *printed;
		struct config config;
		FILE *stream;
		size_t size;

		stream = open_memstream(&text, &size);
		assert_non_null(stream);
		fputs(ONE_VNI, stream);
		print_shapes(stream, 4, cases[i].ipv4);
		print_shapes(stream, 6, cases[i].ipv6);
		fputs(cases[i].more, stream);
		fclose(stream);
		printed = load_text(&config, text, size, NULL, 0);
		failed += row_differs(cases[i].sentence, printed, cases[i].problems);
		free(printed);
		free(text);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_rules),
		cmocka_unit_test(said_beside_the_file),
		cmocka_unit_test(shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
