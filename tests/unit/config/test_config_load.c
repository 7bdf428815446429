// SPDX-License-Identifier: GPL-2.0-only
/* Files, overrides, defaults and the examples of the documentation. */
#include <errno.h>
#include <glob.h>

#include "tests/unit/config/config_rows.h"

static void defaults(void **state)
{
	const struct config_override interface = {"listen.interface", "ens5", "--interface"};
	struct config_problems problems;
	struct config config;

	(void)state;
	assert_int_equal(config_load(&config, NULL, &interface, 1, NULL, &problems), 0);
	assert_int_equal(problems.count, 0);
	assert_string_equal(config.listen.interface, "ens5");
	assert_int_equal(config.listen.port, 4789);
	assert_false(config.listen.any_vni);
	assert_int_equal(config.listen.vni_count, 1);
	assert_int_equal(config.listen.vnis[0], 1);
	assert_int_equal(config.listen.source_count, 0);
	assert_int_equal(config.listen.xdp_mode, XDP_MODE_AUTO);
	assert_string_equal(config.forward.interface, "ens5");
	assert_int_equal(config.forward.next_hop, NEXT_HOP_ROUTE);
	assert_int_equal(config.forward.mtu, 0);
	assert_int_equal(config.forward.oversize, OVERSIZE_FRAGMENT);
	assert_int_equal(config.forward.unmatched, FALLBACK_DROP);
	assert_int_equal(config.rule_count, 0);
	assert_int_equal(config.inner.clear_df_above, 1400);
	assert_int_equal(config.inner.udp_checksum, UDP_CHECKSUM_UPDATE);
	assert_int_equal(config.inner.truncated, FALLBACK_DROP);
	assert_int_equal(config.monitor.interval, 5);
	assert_int_equal(config.monitor.target_pps, 85000);
	assert_int_equal(config.monitor.warning_pps, 60000);
	assert_true(config.monitor.histograms);
	assert_string_equal(config.http.listen, "127.0.0.1:9789");
	assert_int_equal(config.log.level, LOG_LEVEL_INFO);
	config_problems_clear(&problems);
	config_clear(&config);
}

static void values(void **state)
{
	static const char text[] =
		"listen: {interface: ens5, port: 8472, vnis: [7, 0], sources: [10.0.0.0/8, '::1'],"
		" xdp_mode: generic}\n"
		"forward: {interface: ens6, next_hop: '02:00:00:00:00:01', mtu: 9001,"
		" oversize: drop, unmatched: pass}\n"
		"nat:\n"
		"  - match: {source_port: 42844, protocol: tcp, vni: 7, source: 10.2.0.0/16,\n"
		"            destination: 192.0.2.1, destination_port: 514}\n"
		"    to: 10.2.41.17:8081\n"
		"    name: syslog:514\n"
		"inner: {clear_df_above: never, udp_checksum: zero, truncated: forward}\n"
		"monitor: {interval: 1, target_pps: 2, warning_pps: 1, histograms: false}\n"
		"http: off\n"
		"log: {level: error}\n";
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct config config;
	char *printed = load_text(&config, text, strlen(text), NULL, 0);
	const struct nat_rule *rule = config.rules;

	(void)state;
	assert_string_equal(printed, "");
	assert_int_equal(config.listen.port, 8472);
	assert_int_equal(config.listen.vni_count, 2);
	assert_int_equal(config.listen.vnis[1], 0);
	assert_int_equal(config.listen.source_count, 2);
	assert_int_equal(config.listen.sources[1].length, 128);
	assert_int_equal(config.listen.xdp_mode, XDP_MODE_GENERIC);
	assert_string_equal(config.forward.interface, "ens6");
	assert_int_equal(config.forward.next_hop, NEXT_HOP_MAC);
	assert_memory_equal(config.forward.next_hop_mac, mac, 6);
	assert_int_equal(config.forward.mtu, 9001);
	assert_int_equal(config.forward.oversize, OVERSIZE_DROP);
	assert_int_equal(config.forward.unmatched, FALLBACK_PASS);
	assert_int_equal(config.rule_count, 1);
	assert_true(rule->has_source_port && rule->has_destination_port && rule->has_vni);
	assert_int_equal(rule->source_port, 42844);
	assert_int_equal(rule->destination_port, 514);
	assert_int_equal(rule->vni, 7);
	assert_int_equal(rule->protocol, NAT_PROTOCOL_TCP);
	assert_int_equal(rule->source.length, 16);
	assert_int_equal(rule->destination.length, 32);
	assert_int_equal(rule->to.port, 8081);
	assert_int_equal(rule->to.address.bytes[3], 17);
	assert_int_equal(rule->place.line, 4);
	assert_string_equal(rule->name, "syslog:514");
	assert_int_equal(config.inner.clear_df_above, CLEAR_DF_NEVER);
	assert_int_equal(config.inner.udp_checksum, UDP_CHECKSUM_ZERO);
	assert_int_equal(config.inner.truncated, FALLBACK_FORWARD);
	assert_false(config.monitor.histograms);
	assert_string_equal(config.http.listen, "");
	assert_int_equal(config.log.level, LOG_LEVEL_ERROR);
	free(printed);
	config_clear(&config);
}

static void override_problems(void **state)
{
	static const struct {
		const char *sentence;
		const char *text;
		struct config_override override;
		const char *problems;
	} rows[] = {
		{"an override stands in for a key that is missing",
		 "log: {level: info}\n",
		 {"listen.interface", "ens5", "--interface"},
		 ""},
		{"a single value needs no quotes",
		 "listen: {interface: ens5}\n",
		 {"forward.interface", "@#*x", "--target"},
		 ""},
		{"a list is written as in a file",
		 "listen: {interface: ens5, vnis: [5]}\n",
		 {"listen.vnis", "[1, 2]", "--vnis"},
		 ""},
		{"its problems name the option",
		 "listen: {interface: ens5}\n",
		 {"forward.interface", "a b", "--target"},
		 "--target: forward.interface: 'a b' is not the name of a network interface: no "
		 "blanks, '/', ':' or special characters\n"},
		{"also within a list",
		 "listen: {interface: ens5}\n",
		 {"listen.vnis", "[1, 2, 1, x]", "--vnis"},
		 "--vnis: listen.vnis[4]: 'x' is not a number from 0 to 16777215; it takes decimal "
		 "digits only\n"
		 "--vnis: listen.vnis[3]: 1 is listed twice; it is listen.vnis[1] already\n"},
		{"and when the text is no YAML",
		 "listen: {interface: ens5}\n",
		 {"listen.vnis", "[1", "--vnis"},
		 "--vnis: not valid YAML: did not find expected ',' or ']' while parsing a flow "
		 "sequence that began in line 1\n"},
		{"what a flag contradicts is said of the flag",
		 "listen: {interface: ens5}\n",
		 {"monitor.warning_pps", "90000", "--warn"},
		 "--warn: monitor.warning_pps: 90000 is more than monitor.target_pps (85000): give "
		 "at "
		 "most that\n"},
		{"an override hides no problem of the file",
		 "listen: {interface: ens5}\nforward: {interface: a/b}\n",
		 {"forward.interface", "ens6", "--target"},
		 "t:2:22: forward.interface: 'a/b' is not the name of a network interface: no "
		 "blanks, '/', ':' or special characters\n"},
		{"there is no such key",
		 "listen: {interface: ens5}\n",
		 {"listen.colour", "x", "--colour"},
		 "--colour: listen.colour: there is no such key\n"},
		{"a section is no value",
		 "listen: {interface: ens5}\n",
		 {"listen", "x", "--listen"},
		 "--listen: listen: there is no such key\n"},
		{"a rule",
		 "listen: {interface: ens5}\n",
		 {"nat", "42844 10.2.41.17:8081", "--source-port"},
		 ""},
		{"a rule with a wrong port",
		 "listen: {interface: ens5}\n",
		 {"nat", "0 10.2.41.17:8081", "--source-port"},
		 "--source-port: nat: '0' is out of range: it takes a number from 1 to 65535\n"},
		{"a rule without a target",
		 "listen: {interface: ens5}\n",
		 {"nat", "5", "--source-port"},
		 "--source-port: nat: there is no value: give ADDRESS, ADDRESS:PORT or "
		 "\"[IPV6]:PORT\"\n"},
	};
	struct config config;
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *printed = load_text(&config, rows[i].text, strlen(rows[i].text),
					  &rows[i].override, 1);

		failed += row_differs(rows[i].sentence, printed, rows[i].problems);
		free(printed);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

/*
 * A flag's rule wins over the file's. A rule of the file that it covers is no mistake of the file.
 */
static void override_rule_comes_first(void **state)
{
	static const char text[] =
		"listen: {interface: ens5}\n"
		"nat:\n"
		"  - {match: {source_port: 42844}, to: 10.0.0.1}\n"
		"  - {match: {source_port: 1}, to: 10.0.0.2}\n"
		"  - {match: {source_port: 42844, protocol: udp}, to: 10.0.0.3}\n";
	const struct config_override override = {"nat", "42844 10.2.41.17:8081", "-s"};
	struct config config;
	char *printed = load_text(&config, text, strlen(text), &override, 1);

	(void)state;
	assert_string_equal(printed, "");
	assert_int_equal(config.rule_count, 2);
	assert_int_equal(config.rules[0].source_port, 42844);
	assert_int_equal(config.rules[0].to.port, 8081);
	assert_int_equal(config.rules[1].source_port, 1);
	free(printed);
	config_clear(&config);
}

static void unreadable(void **state)
{
	static const struct {
		const char *path;
		int err;
		const char *problems;
	} rows[] = {
		{"/nonexistent/config.yaml", -ENOENT,
		 "/nonexistent/config.yaml: cannot be read: No such file or directory\n"},
		{"/", -EISDIR, "/: cannot be read: Is a directory\n"},
		{"/dev/zero", -ENOTBLK, "/dev/zero: cannot be read: it is a device, not a file\n"},
		{"/dev/null", -EINVAL,
		 "/dev/null:1:1: listen.interface: missing: name the network interface that "
		 "receives the tunnel\n"},
		{"/nonexistent/\x1b[31m", -ENOENT,
		 "/nonexistent/?[31m: cannot be read: No such file or directory\n"},
		{NULL, -EINVAL,
		 "command line: listen.interface: missing: name the network interface that "
		 "receives the tunnel\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct config_problems problems;
		struct config config;
		char printed[512] = "";
		FILE *stream = fmemopen(printed, sizeof(printed), "w");

		assert_int_equal(config_load(&config, rows[i].path, NULL, 0, NULL, &problems),
				 rows[i].err);
		assert_int_equal(problems.count, 1);
		config_problems_print(&problems, stream);
		fclose(stream);
		assert_string_equal(printed, rows[i].problems);
		config_problems_clear(&problems);
		config_clear(&config);
	}
}

static void examples(void **state)
{
	glob_t found;

	(void)state;
	/* The tests run from the top of the sources. */
	assert_int_equal(glob("docs/examples/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 5);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct config_problems problems;
		struct config config;
		int err = config_load(&config, found.gl_pathv[i], NULL, 0, NULL, &problems);

		config_problems_print(&problems, stderr);
		assert_int_equal(err, 0);
		config_problems_clear(&problems);
		config_clear(&config);
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),          cmocka_unit_test(values),
		cmocka_unit_test(override_problems), cmocka_unit_test(override_rule_comes_first),
		cmocka_unit_test(unreadable),        cmocka_unit_test(examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
