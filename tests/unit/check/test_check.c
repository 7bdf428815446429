// SPDX-License-Identifier: GPL-2.0-only
/* What `check` finds on the hosts in facts/, as they are and changed. */
#include <errno.h>
#include <jansson.h>

#include "check/check.h"
#include "tests/unit/check/check_rows.h"
#include "tests/unit/check/facts.h"
#include "host/internal.h"
#include "tests/unit/unit.h"

/* Loads a text; adds a rule and an HTTP address that others reach, unless the text has its own. */
static void load(struct config *config, const char *text)
{
	char whole[2048];

	snprintf(whole, sizeof(whole), "%s%s%s", text, strstr(text, "nat:") ? "" : ONE_RULE,
		 strstr(text, "http:") ? "" : SERVED);
	facts_config(config, whole);
}

/* Makes all checks; `got` lists the findings that are not ok. */
static void find(const struct row *row, struct findings *findings, char *got, size_t size)
{
	static const char *const names[] = {"ok", "warn", "fail"};
	struct config config;
	struct host host;
	size_t used = 0;

	facts_load(&host, row->facts, row->change);
	load(&config, row->config);
	check_host(&host, &config, "config", "", findings);
	*got = '\0';
	for (size_t i = 0; i < findings->count && used < size; i++) {
		const struct finding *finding = &findings->list[i];

		if (finding->status != FINDING_OK)
			used += (size_t)snprintf(got + used, size - used, "%s %s: %s\n",
						 names[finding->status], finding->check,
						 *finding->fix ? finding->fix : "-");
	}
	config_clear(&config);
}

static void check_rows(const struct row *rows, size_t count)
{
	struct findings findings;
	int failed = 0;
	char got[4096];

	for (size_t i = 0; i < count; i++) {
		find(&rows[i], &findings, got, sizeof(got));
		failed += row_differs(rows[i].sentence, got, rows[i].expected);
	}
	assert_int_equal(failed, 0);
}

#define TABLE_TEST(name)                          \
	static void test_##name(void **state)     \
	{                                         \
		(void)state;                      \
		check_rows(name, COUNT_OF(name)); \
	}

TABLE_TEST(right)
TABLE_TEST(ways)
TABLE_TEST(drivers)
TABLE_TEST(programs)
TABLE_TEST(systems)
TABLE_TEST(traffic)
TABLE_TEST(wrong)

static bool has_row(const char *check)
{
	static const struct {
		const struct row *rows;
		size_t count;
	} tables[] = {
		{right, COUNT_OF(right)},     {ways, COUNT_OF(ways)},
		{drivers, COUNT_OF(drivers)}, {programs, COUNT_OF(programs)},
		{systems, COUNT_OF(systems)}, {traffic, COUNT_OF(traffic)},
		{wrong, COUNT_OF(wrong)},
	};
	char finding[64];

	snprintf(finding, sizeof(finding), " %s: ", check);
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		for (size_t n = 0; n < tables[i].count; n++) {
			if (strstr(tables[i].rows[n].expected, finding))
				return true;
		}
	}
	return false;
}

/* Every check finds something on one of the hosts above. */
static void every_check(void **state)
{
	static const char *const checks[] = {
#define X(name, good) #name,
		CHECKS(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		if (!has_row(checks[i]))
			fail_msg("%s: no row of check_rows.h has it find anything", checks[i]);
	}
}

/* The texts of findings contain the figures that matter. */
static void words(void **state)
{
	static const struct {
		const struct row row;
		const char *check;
		const char *said;
	} rows[] = {
		{{"the rate that the limit leaves", "ena-in-tree", NULL, LISTEN CUT, NULL},
		 "fragment_limit",
		 "ens6: ENA sends at most 1024 IP fragments a second, which is 512 packets "
		 "fragmented in "
		 "two, fewer where they are larger; of monitor.target_pps, 85000, it would lose "
		 "84488 if all had to be fragmented, and count them in pps_allowance_exceeded; ENA "
		 "2.13.3 "
		 "and later can do without"},
		{{"what a lower goal would lose", "ena-in-tree", "{'listen': {'mtu': 2902}}",
		  LISTEN CUT "monitor: {target_pps: 500, warning_pps: 1}\n", NULL},
		 "fragment_limit",
		 "ens6: ENA sends at most 1024 IP fragments a second, which is 512 packets "
		 "fragmented in "
		 "two; of monitor.target_pps, 500, it would lose 0 if all had to be fragmented, "
		 "and count "
		 "them in pps_allowance_exceeded; ENA 2.13.3 and later can do without"},
		{{"the bypass", "ena-2.17", NULL, LISTEN CUT, NULL},
		 "fragment_limit",
		 "ens6: ENA runs with enable_frag_bypass=1, which lifts its limit of 1024 IP "
		 "fragments a second"},
		{{"the largest packet", "ena-in-tree", NULL, LISTEN UNCUT, NULL},
		 "tunnel_mtu",
		 "ens5 takes mirrored packets of up to 3448 bytes; larger ones are truncated by "
		 "the "
		 "mirror"},
		{{"the log", "ena-fresh", "{'listen': {'mtu': 3498, 'channels': 4}}", LISTEN UNCUT,
		  NULL},
		 "xdp_refused",
		 "the kernel's log tells of a refusal; whether it still would the next start "
		 "shows: "
		 "ena 0000:00:05.0 ens5: Failed to set xdp program, the "
		 "current MTU (9001) is larger than the maximum allowed MTU (3498) while xdp is "
		 "on"},
		{{"an MTU that is forward.mtu, too", "virtio", "{'forward': {'mtu': 1500}}",
		  LISTEN "forward: {interface: ens6}\n", NULL},
		 "fragmenting",
		 "ens6's MTU, 1500, lets no packet pass that has to be fragmented; the kernel "
		 "fragments them, several times slower; say `mtu: 1500` under `forward`, then give "
		 "ens6 an MTU of "
		 "3460, and its routes one of 1500"},
		{{"what to serve on instead", "ena-in-tree", NULL,
		  LISTEN UNCUT "http: {listen: 127.0.0.2:9790}\n", NULL},
		 "http",
		 "http.listen: 127.0.0.2:9790 is for this host alone, so that a Network Load "
		 "Balancer's health check fails; where mirrored packets come through one, say "
		 "`listen: 0.0.0.0:9790` under `http`, and have the security group let its subnets "
		 "in"},
		{{"of which type", "virtio", "{'forward': {'type': 778, 'kind': 'gre'}}",
		  LISTEN UNCUT, NULL},
		 "ethernet",
		 "forward.interface: ens6 is of type gre (link/gre), and XDP would give and take "
		 "Ethernet frames where it has none; name an Ethernet interface"},
		{{"a port of which bond", "virtio",
		  "{'listen': {'master': 'bond0', 'master_kind': 'bond'}}", LISTEN UNCUT, NULL},
		 "ethernet",
		 "ens5 is a port of bond0 (bond): what comes in by its other ports is not seen; "
		 "say `interface: bond0` under `listen`"},
		{{"which rule's target", "virtio",
		  "{'host': {'unrouted': 3, 'unrouted_rule': 2, 'unrouted_target': 'fd00::9'}}",
		  LISTEN UNCUT RULES, NULL},
		 "targets",
		 "no route leads to fd00::9 (rule 2) out of ens6, nor for 2 rules more; give it "
		 "one: ip route add fd00::9 via GATEWAY dev ens6"},
		{{"which rule's target is here", "virtio",
		  "{'host': {'local': 3, 'local_rule': 2, 'local_target': 'fd00::9'}}",
		  LISTEN UNCUT RULES, NULL},
		 "targets",
		 "fd00::9 (rule 2, and 2 rules more) is an address of this host: packets for it "
		 "are "
		 "passed to its own stack, and none leaves by ens6"},
		{{"reverse path filtering of both", "virtio",
		  "{'host': {'rp_filter': 1}, 'listen': {'rp_filter': 2}}", LISTEN UNCUT, NULL},
		 "rp_filter",
		 "rp_filter is 1 on `all` and 2 on ens5, so what is handed to the kernel is "
		 "dropped "
		 "where its source is not reached through the tunnel's interface"},
		{{"a VNI that no session has by itself", "virtio", NULL, LISTEN UNCUT, NULL},
		 "vnis",
		 "not known: the instance does not run, or could not be asked, which takes root; "
		 "listen.vnis is "
		 "[1], while AWS gives a mirror session a VNI at random unless it is told one"},
		{{"VNIs that were thought of", "virtio",
		  "{'host': {'listed_vni': 0, 'unlisted_vni': 0}}",
		  "listen: {interface: ens5, vnis: [1, 7]}\n" UNCUT, NULL},
		 "vnis",
		 "not known: nothing came through the tunnel yet"},
		{{"some that are listed", "virtio",
		  "{'host': {'listed_vni': 2, 'unlisted_vni': 1}}", LISTEN UNCUT, NULL},
		 "vnis",
		 "packets come with VNIs that listen.vnis lists"},
		{{"what is better than what", "virtio", "{'listen': {'rx_usecs': 100}}",
		  LISTEN UNCUT, NULL},
		 "moderation",
		 "ens5 rx-usecs is 100, and 64 is better: monitor.target_pps then leaves most of "
		 "the ring free"},
		{{"what virtual machines do not tell", "virtio", "{'host': {'idle_state': null}}",
		  LISTEN UNCUT, NULL},
		 "idle_states",
		 "not known: the kernel tells of no idle states that CPUs enter"},
		{{"nor some drivers", "virtio",
		  "{'listen': {'adaptive_rx': null, 'rx_usecs': null}}", LISTEN UNCUT, NULL},
		 "moderation",
		 "not known: ens5's driver does not tell how long it holds interrupts back"},
		{{"a log that cannot be read is not a good sign", "virtio",
		  "{'host': {'kernel_log': false}}", LISTEN UNCUT, NULL},
		 "xdp_refused",
		 "not known: the kernel's log cannot be read, where drivers tell why they refuse "
		 "programs"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct findings findings;
		const char *said = "not found";
		char got[4096];

		find(&rows[i].row, &findings, got, sizeof(got));
		for (size_t j = 0; j < findings.count; j++) {
			if (strcmp(findings.list[j].check, rows[i].check) == 0)
				said = findings.list[j].why;
		}
		failed += row_differs(rows[i].row.sentence, said, rows[i].said);
	}
	assert_int_equal(failed, 0);
}

/* Of a host of which nothing is known, every check still reports, and none makes anything up. */
static void ignorance(void **state)
{
	struct config config;
	struct findings findings;
	struct host host;

	(void)state;
	host_init(&host);
	load(&config, LISTEN KEEP);
	strcpy(host.listen.name, "ens5");
	strcpy(host.forward.name, "ens6");
	host.listen.exists = host.forward.exists = ANSWER_YES;
	host.listen.mtu = host.forward.mtu = 3498;
	check_host(&host, &config, "config", "", &findings);
	assert_int_equal(check_count(&findings, FINDING_FAIL), 0);
	assert_int_equal(check_count(&findings, FINDING_WARN), 1); /* about the driver */
	config_clear(&config);
}

/* A record is read back the same; an entry that is not a fact is refused, and named. */
static void records(void **state)
{
	static const struct {
		const char *sentence;
		const char *document;
		const char *expected;
	} rows[] = {
		{"no object", "[]", "'host' is missing, or no object"},
		{"a part is missing", "{'host': {}, 'listen': {}}",
		 "'forward' is missing, or no object"},
		{"no such fact", "{'host': {'colour': 1}, 'listen': {}, 'forward': {}}",
		 "host.colour: no such fact"},
		{"a text for a number", "{'host': {}, 'listen': {'mtu': '9001'}, 'forward': {}}",
		 "listen.mtu: not a number that fits, nor null"},
		{"a negative number", "{'host': {}, 'listen': {'mtu': -3}, 'forward': {}}",
		 "listen.mtu: not a number that fits, nor null"},
		{"a number for an answer", "{'host': {'btf': 1}, 'listen': {}, 'forward': {}}",
		 "host.btf: not true or false that fits, nor null"},
		{"a word that a shell would run",
		 "{'host': {}, 'listen': {}, 'forward': {'mac': '$(reboot)'}}",
		 "forward.mac: not a word that fits, nor null"},
		{"a text that steers a terminal",
		 "{'host': {'kernel': '\\u001b[2J'}, 'listen': {}, 'forward': {}}",
		 "host.kernel: not a text that fits, nor null"},
		{"a name that is too long",
		 "{'host': {}, 'listen': {}, 'forward': {'name': '0123456789abcdef'}}",
		 "forward.name: not a text that fits, nor null"},
	};
	struct host host, again;
	struct error error;
	json_t *document;
	int failed = 0;

	(void)state;
	facts_load(&host, "ena-fresh", NULL);
	document = host_json(&host);
	assert_int_equal(host_from_json(&again, document, &error), 0);
	assert_memory_equal(&host, &again, sizeof(host));
	json_decref(document);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[256];

		snprintf(text, sizeof(text), "%s", rows[i].document);
		for (char *c = text; *c; c++) {
			if (*c == '\'')
				*c = '"';
		}
		document = json_loads(text, 0, NULL);
		assert_non_null(document);
		assert_int_equal(host_from_json(&again, document, &error), -EINVAL);
		failed += row_differs(rows[i].sentence, error.text, rows[i].expected);
		json_decref(document);
	}
	assert_memory_equal(&host, &again, sizeof(host)); /* failures have left it untouched */
	assert_int_equal(failed, 0);
}

/* Which interface a line of the kernel's log is about. */
static void log_lines(void **state)
{
	static const struct {
		const char *line, *interface;
		bool named;
	} rows[] = {
		{"in0: too large for XDP", "in0", true},
		{"ena 0000:00:05.0 in0: Failed to set xdp program", "in0", true},
		{"XDP was refused on in0.", "in0", true},
		{"XDP was refused on in0", "in0", true},
		{"main0: too large for XDP", "in0", false},
		{"in01: too large for XDP", "in0", false},
		{"in0.100: too large for XDP", "in0", false},
		{"br-in0: too large for XDP", "in0", false},
		{"in0-a: too large for XDP", "in0", false},
		{"main0: slave in0 is too large for XDP", "in0", true},
		{"too large for XDP", "", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (host_log_names(rows[i].line, rows[i].interface) != rows[i].named)
			fail_msg("'%s': %s", rows[i].line, rows[i].interface);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),   cmocka_unit_test(test_ways),
		cmocka_unit_test(test_drivers), cmocka_unit_test(test_programs),
		cmocka_unit_test(test_systems), cmocka_unit_test(test_traffic),
		cmocka_unit_test(test_wrong),   cmocka_unit_test(words),
		cmocka_unit_test(ignorance),    cmocka_unit_test(records),
		cmocka_unit_test(log_lines),    cmocka_unit_test(every_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
