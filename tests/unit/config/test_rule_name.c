// SPDX-License-Identifier: GPL-2.0-only
/* What rules are called: the same whatever stands beside them, wherever and however they are written. */
#include <stdlib.h>
#include <string.h>

#include "config/rule_name.h"
#include "tests/unit/unit.h"

#define HEAD   "listen: {interface: ens5, vnis: any}\nnat:\n"
#define SYSLOG "  - {match: {source_port: 42844, protocol: udp}, to: 10.2.41.17:8081}\n"
#define OTHER  "  - {match: {destination_port: 514}, to: 10.2.41.18}\n"
#define NAMED  "  - {name: dns, match: {source_port: 53}, to: 10.2.41.19}\n"
/* Two rules whose first hash is the same. */
#define TWIN1  "  - {match: {source: 10.115.84.22, source_port: 53099}, to: 10.0.0.1}\n"
#define TWIN2  "  - {match: {source: 10.185.94.117, source_port: 53463}, to: 10.0.0.1}\n"

/* The names in file order, with blanks between them; or the problems. The caller frees it. */
static char *names_of(const char *text)
{
	struct config_problems problems;
	struct rule_names names;
	struct config config;
	char *joined;
	size_t size;
	FILE *stream = open_memstream(&joined, &size);

	assert_non_null(stream);
	config_load_text(&config, "t", text, strlen(text), NULL, 0, &problems);
	config_problems_print(&problems, stream);
	assert_int_equal(rule_names_make(&names, config.rules, config.rule_count), 0);
	for (size_t i = 0; i < config.rule_count; i++)
		fprintf(stream, "%s%s", i ? " " : "", names.of[i]);
	fclose(stream);
	rule_names_clear(&names);
	config_problems_clear(&problems);
	config_clear(&config);
	return joined;
}

static void names(void **state)
{
	static const struct {
		const char *sentence;
		const char *text;
		const char *expected;
	} rows[] = {
		{"a hash, the same on every machine and in every version", HEAD SYSLOG, "a5efe954"},
		{"what stands before and behind does not matter", HEAD OTHER SYSLOG NAMED,
		 "0ca1325b a5efe954 dns"},
		{"nor does the way it is written",
		 HEAD "  - to: \"10.2.41.17:8081\"\n"
		      "    match:\n"
		      "      # the protocol first\n"
		      "      protocol: udp\n"
		      "      source: 0.0.0.0/0\n"
		      "      source_port: 42844\n",
		 "a5efe954"},
		{"another target",
		 HEAD "  - {match: {source_port: 42844, protocol: udp}, to: "
		      "10.2.41.17:8082}\n",
		 "a8efee0d"},
		{"another protocol",
		 HEAD "  - {match: {source_port: 42844, protocol: tcp}, to: "
		      "10.2.41.17:8081}\n",
		 "cd44cccd"},
		{"VNI 0 is one, too",
		 HEAD "  - {match: {source_port: 42844, protocol: udp, vni: "
		      "0}, to: 10.2.41.17:8081}\n",
		 "830caaed"},
		{"IPv6", HEAD "  - {match: {source: '2001:db8::/32'}, to: '[2001:db8::1]:80'}\n",
		 "cfd95dbf"},
		{"two of one hash get more of it, in whatever order they stand",
		 HEAD TWIN1 SYSLOG TWIN2, "c3662ac2-c19979eb a5efe954 c3662ac2-af4e31ef"},
		{"the other order", HEAD TWIN2 TWIN1, "c3662ac2-af4e31ef c3662ac2-c19979eb"},
		{"one of them that has a name leaves the hash to the other",
		 HEAD TWIN1 "  - {name: twin, match: {source: 10.185.94.117, source_port: 53463}, "
			    "to: 10.0.0.1}\n",
		 "c3662ac2 twin"},
		{"what another rule is called",
		 HEAD OTHER "  - {name: 0ca1325b, match: {source_port: 1}, to: 10.0.0.1}\n",
		 "t:4:6: nat[2].name: '0ca1325b' is what rule 1 (line 3) is called, which has no "
		 "name "
		 "of its own: give another\n"},
		{"what a later rule is called",
		 HEAD "  - {name: 0ca1325b, match: {source_port: 1}, to: 10.0.0.1}\n" OTHER,
		 "t:3:6: nat[1].name: '0ca1325b' is what rule 2 (line 4) is called, which has no "
		 "name "
		 "of its own: give another\n"},
		{"its own hash: so its target may change",
		 HEAD "  - {name: 0ca1325b, match: {destination_port: 514}, to: 10.2.41.18}\n",
		 "0ca1325b"},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *got = names_of(rows[i].text);

		failures += row_differs(rows[i].sentence, got, rows[i].expected);
		free(got);
	}
	assert_int_equal(failures, 0);
}

/* Which no configuration has, as the later one could never match: the names differ all the same. */
static void the_same_twice(void **state)
{
	struct nat_rule rules[3] = {
		{.has_source_port = true, .source_port = 1},
		{.has_source_port = true, .source_port = 2},
		{.has_source_port = true, .source_port = 1},
	};
	struct rule_names names;

	(void)state;
	assert_int_equal(rule_names_make(&names, rules, COUNT_OF(rules)), 0);
	assert_int_equal(strlen(names.of[1]), 8);
	assert_int_equal(strncmp(names.of[0], names.of[2], 17), 0);
	assert_string_equal(names.of[0] + 17, "-1");
	assert_string_equal(names.of[2] + 17, "-2");
	/* one after the other, as the datapath's map has them */
	assert_ptr_equal(names.of[1], names.text + strlen(names.of[0]) + 1);
	assert_int_equal(names.size, 20 + 9 + 20);
	rule_names_clear(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(the_same_twice),
	};

	return cmocka_run_group_tests_name("rule_name", tests, NULL, NULL);
}
