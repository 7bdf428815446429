// SPDX-License-Identifier: GPL-2.0-only
/* The Prometheus text for made-up numbers. */
#include "observe/metrics.h"
#include "tests/unit/unit.h"

struct made_up {
	struct datapath_stats stats;
	struct datapath_condition condition;
	struct loss_table losses;
	struct health health;
	struct metrics metrics;
};

static struct made_up *make(enum datapath_state state)
{
	struct made_up *made = calloc(1, sizeof(*made));

	assert_non_null(made);
	made->stats.state = state;
	strcpy(made->condition.info.listen, "ens5");
	strcpy(made->condition.info.egress, "ens6");
	made->condition.beat_age_ms = -1;
	made->metrics = (struct metrics){.stats = &made->stats,
					 .condition = &made->condition,
					 .losses = &made->losses,
					 .health = &made->health};
	return made;
}

static char *print(const struct made_up *made)
{
	char *text;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	assert_non_null(stream);
	metrics_print(&made->metrics, stream);
	assert_int_equal(fclose(stream), 0);
	return text;
}

static size_t count(const char *text, const char *part)
{
	size_t found = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		found++;
	return found;
}

static void assert_has(const char *text, const char *line)
{
	char whole[1000];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (count(text, whole) != 1)
		fail_msg("%zu times: %s\n%s", count(text, whole), line, text);
}

static void nothing_attached(void **state)
{
	struct made_up *made = make(DATAPATH_ABSENT);
	char *text;

	(void)state;
	health_add(&made->health, HEALTH_BAD, "nothing is attached");
	text = print(made);
	assert_has(text, "vxlan_pipeline_healthy 0");
	assert_has(text, "vxlan_pipeline_draining 0");
	assert_has(text, "vxlan_pipeline_daemon_running 0");
	assert_has(text, "vxlan_pipeline_last_reload_successful 1");
	assert_int_equal(count(text, "packets_total"), 0);
	free(text);
	made->metrics.process = &(struct process_usage){.started_at = 1764000000.25};
	text = print(made);
	assert_has(text, "vxlan_pipeline_last_reload_timestamp_seconds 1764000000.25");
	assert_has(text, "process_start_time_seconds 1764000000.25");
	free(text);
	free(made);
}

/* Each reason is a series, the same one while its numbers change. */
static void conditions(void **state)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	char *text = print(made);

	(void)state;
	assert_has(text, "vxlan_pipeline_healthy 1");
	assert_int_equal(count(text, "vxlan_pipeline_condition"), 0);
	free(text);
	health_add(&made->health, HEALTH_DEGRADED, "5 of 10 packets ended as error");
	health_add(&made->health, HEALTH_DEGRADED, "7 of 10 packets ended as error");
	health_add(&made->health, HEALTH_DEGRADED, "a\"b\\c\n\xff is down");
	text = print(made);
	assert_has(text, "vxlan_pipeline_healthy 1");
	assert_has(text, "vxlan_pipeline_condition{condition=\"degraded\","
			 "reason=\"N of N packets ended as error\"} 1");
	assert_has(text, "vxlan_pipeline_condition{condition=\"degraded\","
			 "reason=\"a\\\"b\\\\c?? is down\"} 1");
	assert_int_equal(count(text, "\nvxlan_pipeline_condition{"), 2);
	free(text);
	health_add(&made->health, HEALTH_BAD, "8 of 10 packets ended as error");
	text = print(made);
	assert_has(text, "vxlan_pipeline_healthy 0");
	assert_has(text, "vxlan_pipeline_condition{condition=\"bad\","
			 "reason=\"N of N packets ended as error\"} 1");
	free(text);
	for (int i = 0; i < 2 * HEALTH_MAX_REASONS; i++)
		health_add(&made->health, HEALTH_BAD, "reason%02d%0*d", i, HEALTH_REASON_SIZE, 0);
	text = print(made);
	assert_int_equal(count(text, "\nvxlan_pipeline_condition{"), HEALTH_MAX_REASONS);
	free(text);
	free(made);
}

static void numbers(void **state)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	struct loss_row row = {.place = LOSS_PLACE_TRANSMIT, .reason = "send_failed", .packets = 7};
	char *text;

	(void)state;
	made->stats.counters.verdict[VERDICT_REDIRECTED].packets = UINT64_MAX;
	made->stats.counters.verdict[VERDICT_REDIRECTED].bytes = 1ULL << 53 | 1;
	made->condition.beat_age_ms = 1250;
	made->condition.info.configured_at = 1764000000123000000ULL;
	made->losses.rows = &row;
	made->losses.count = 1;
	text = print(made);
	assert_has(text, "vxlan_pipeline_last_reload_timestamp_seconds 1764000000.123");
	assert_has(text, "vxlan_pipeline_last_reload_successful 1");
	free(text);
	made->metrics.reloaded_at = 1764000000;
	made->metrics.reload_failed = true;
	text = print(made);
	assert_has(text, "vxlan_pipeline_healthy 1");
	assert_has(text, "vxlan_pipeline_packets_total{verdict=\"redirected\"} "
			 "18446744073709551615");
	assert_has(text, "vxlan_pipeline_bytes_total{verdict=\"redirected\"} 9007199254740993");
	assert_has(text, "vxlan_pipeline_heartbeat_age_seconds 1.25");
	assert_has(text, "vxlan_pipeline_config_timestamp_seconds 1764000000.123");
	assert_has(text, "vxlan_pipeline_last_reload_timestamp_seconds 1764000000");
	assert_has(text, "vxlan_pipeline_last_reload_successful 0");
	assert_has(text, "vxlan_pipeline_lost_packets_total{place=\"transmit\",interface=\"\","
			 "reason=\"send_failed\"} 7");
	assert_int_equal(count(text, "\nvxlan_pipeline_packets_total{"), VERDICT_COUNT - 1);
	assert_int_equal(count(text, "\nvxlan_pipeline_events_total{"), EVENT_COUNT);
	assert_int_equal(count(text, "# HELP"), count(text, "# TYPE"));
	free(text);
	free(made);
}

/* Only the first rules are printed: each takes two series, and a scrape must stay small. */
static void many_rules(void **state)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	char *text;

	(void)state;
	made->stats.rules = calloc(METRICS_MAX_RULES + 1, sizeof(*made->stats.rules));
	assert_non_null(made->stats.rules);
	made->stats.rule_count = METRICS_MAX_RULES + 1;
	for (size_t i = 0; i < made->stats.rule_count; i++)
		made->stats.rules[i] = (struct datapath_rule){
			.to.address.version = 4,
			.name = i == METRICS_MAX_RULES - 1 ? "last" : "another",
		};
	made->stats.rules[METRICS_MAX_RULES].name = "left-out";
	text = print(made);
	assert_has(text, "vxlan_pipeline_rules 1025");
	assert_has(text, "vxlan_pipeline_rule_series_omitted 1");
	assert_int_equal(count(text, "\nvxlan_pipeline_rule_packets_total{"), METRICS_MAX_RULES);
	assert_int_equal(count(text, "{rule=\"last\","), 2);
	assert_int_equal(count(text, "{rule=\"left-out\","), 0);
	free(text);
	free(made->stats.rules);
	free(made);
}

/* The longest names, addresses and numbers that there can be, and as many of them: docs/metrics.md. */
static void longest_text(void **state)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyz.0123456789-abcdefghijklmnopqrstuvwxy";
	struct made_up *made = make(DATAPATH_ATTACHED);
	char *text;

	(void)state;
	made->stats.rule_count = PIPELINE_MAX_RULES;
	made->stats.rules = calloc(PIPELINE_MAX_RULES, sizeof(*made->stats.rules));
	made->stats.vni_count = PIPELINE_MAX_VNIS;
	made->stats.vnis = calloc(PIPELINE_MAX_VNIS, sizeof(*made->stats.vnis));
	assert_true(made->stats.rules && made->stats.vnis);
	for (size_t i = 0; i < PIPELINE_MAX_RULES; i++) {
		struct datapath_rule *rule = &made->stats.rules[i];

		rule->to = (struct ip_endpoint){.address.version = 6, .port = 65535};
		memset(rule->to.address.bytes, 0xff, sizeof(rule->to.address.bytes));
		rule->name = name;
		rule->hits = (struct hits){UINT64_MAX, UINT64_MAX};
	}
	for (size_t i = 0; i < PIPELINE_MAX_VNIS; i++)
		made->stats.vnis[i] = (struct datapath_vni){.vni = PIPELINE_VNI_MAX,
							    .hits = {UINT64_MAX, UINT64_MAX}};
	text = print(made);
	assert_int_equal(count(text, name), 2 * METRICS_MAX_RULES);
	assert_true(strlen(text) < 600000);
	assert_has(text, "vxlan_pipeline_rule_series_omitted 64512");
	assert_has(text, "vxlan_pipeline_vni_series_omitted 3072");
	free(text);
	free(made->stats.rules);
	free(made->stats.vnis);
	free(made);
}

static void allowances(void **state)
{
	static const char begins[] = "# TYPE vxlan_pipeline_conntrack_allowance_available gauge\n";
	struct made_up *made = make(DATAPATH_ATTACHED);
	char *text = print(made);

	(void)state;
	assert_int_equal(count(text, "conntrack_allowance_available"), 0);
	free(text);
	made->losses.allowances[0] = (struct loss_allowance){"ens6", 136812};
	made->losses.allowance_count = 1;
	text = print(made);
	assert_int_equal(count(text, begins), 1);
	assert_has(text, "vxlan_pipeline_conntrack_allowance_available{interface=\"ens6\"} 136812");
	free(text);
	made->losses.allowances[1] = (struct loss_allowance){"a\"b\\c", UINT64_MAX};
	made->losses.allowance_count = 2;
	text = print(made);
	assert_int_equal(count(text, begins), 1);
	assert_has(text, "vxlan_pipeline_conntrack_allowance_available{interface=\"ens6\"} 136812");
	assert_has(text, "vxlan_pipeline_conntrack_allowance_available{interface=\"a\\\"b\\\\c\"} "
			 "18446744073709551615");
	free(text);
	free(made);
}

/* VNIs without a row of their own are a row like the others, once there are any. */
static void other_vnis(void **state)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	struct datapath_vni vni = {.vni = 5, .hits = {3, 300}};
	char *text;

	(void)state;
	made->stats.vnis = &vni;
	made->stats.vni_count = 1;
	text = print(made);
	assert_has(text, "vxlan_pipeline_vni_packets_total{vni=\"5\"} 3");
	assert_int_equal(count(text, "vni=\"other\""), 0);
	free(text);
	made->stats.other_vnis = (struct hits){7, 700};
	text = print(made);
	assert_has(text, "vxlan_pipeline_vni_packets_total{vni=\"other\"} 7");
	assert_has(text, "vxlan_pipeline_vni_bytes_total{vni=\"5\"} 300\n"
			 "vxlan_pipeline_vni_bytes_total{vni=\"other\"} 700");
	free(text);
	free(made);
}

static void many_vnis(void **state)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	char *text;

	(void)state;
	made->stats.vnis = calloc(METRICS_MAX_VNIS + 2, sizeof(*made->stats.vnis));
	assert_non_null(made->stats.vnis);
	made->stats.vni_count = METRICS_MAX_VNIS;
	for (uint32_t i = 0; i < METRICS_MAX_VNIS + 2; i++)
		made->stats.vnis[i].vni = i;
	text = print(made);
	assert_has(text, "vxlan_pipeline_vni_series_omitted 0");
	free(text);
	made->stats.vni_count += 2;
	text = print(made);
	assert_has(text, "vxlan_pipeline_vni_series_omitted 2");
	assert_int_equal(count(text, "\nvxlan_pipeline_vni_packets_total{"), METRICS_MAX_VNIS);
	free(text);
	free(made->stats.vnis);
	free(made);
}

/* Each verdict that drops is in one series, whose cause is that of the configuration. */
static void drops(void **state)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	char *text;

	(void)state;
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		made->stats.counters.verdict[v].packets = 100 + v;
	made->stats.counters.verdict[VERDICT_OVERSIZE].packets = 7;
	made->condition.oversize = OVERSIZE_FRAGMENT;
	text = print(made);
	assert_has(text, "vxlan_pipeline_dropped_packets_total{verdict=\"oversize\","
			 "cause=\"fault\"} 7");
	assert_int_equal(count(text, "cause=\"configuration\"}"), 4);
	assert_int_equal(count(text, "cause=\"fault\"}"), 6);
	assert_int_equal(count(text, "dropped_packets_total{verdict=\"redirected\""), 0);
	assert_int_equal(count(text, "dropped_packets_total{verdict=\"not_tunnel\""), 0);
	free(text);
	made->condition.oversize = OVERSIZE_DROP;
	text = print(made);
	assert_has(text, "vxlan_pipeline_dropped_packets_total{verdict=\"oversize\","
			 "cause=\"configuration\"} 7");
	assert_int_equal(count(text, "dropped_packets_total{verdict=\"oversize\""), 1);
	free(text);
	free(made);
}

static void histograms(void **state)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	struct histograms *counted = &made->stats.counters.histograms;
	char *text;

	(void)state;
	counted->size[0] = 1;
	counted->size[5] = 2;
	counted->size[9] = 4;
	counted->size_sum = 12345;
	counted->time[0] = 1;
	counted->time[TIME_BUCKETS - 1] = 2;
	counted->time_sum = 1500000032;
	text = print(made);
#define SIZE "vxlan_pipeline_packet_size_bytes"
#define TIME "vxlan_pipeline_program_duration_seconds"
	assert_has(text, SIZE "_bucket{le=\"64\"} 1\n" SIZE "_bucket{le=\"128\"} 1\n" SIZE
			      "_bucket{le=\"256\"} 1\n" SIZE "_bucket{le=\"512\"} 1\n" SIZE
			      "_bucket{le=\"1024\"} 1\n" SIZE "_bucket{le=\"1518\"} 3\n" SIZE
			      "_bucket{le=\"2048\"} 3\n" SIZE "_bucket{le=\"4096\"} 3\n" SIZE
			      "_bucket{le=\"9216\"} 3\n" SIZE "_bucket{le=\"+Inf\"} 7\n" SIZE
			      "_sum 12345\n" SIZE "_count 7");
	assert_has(text, TIME "_bucket{le=\"3.2e-08\"} 1");
	assert_has(text, TIME "_bucket{le=\"0.000524288\"} 1");
	assert_has(text, TIME "_bucket{le=\"+Inf\"} 3\n" TIME "_sum 1.500000032\n" TIME "_count 3");
	assert_int_equal(count(text, "\n" TIME "_bucket{"), TIME_BUCKETS);
#undef SIZE
#undef TIME
	free(text);
	free(made);
}

/* Prints every family, also those that few hosts have. */
static char *print_everything(void)
{
	struct made_up *made = make(DATAPATH_ATTACHED);
	struct loss_row row = {.place = LOSS_PLACE_NIC, .interface = "ens5", .reason = "rx_drops"};
	struct datapath_vni vni = {.vni = 1};
	struct datapath_rule rule = {.to.address.version = 4, .name = "syslog:1"};
	char *text;

	made->condition.beat_age_ms = 100;
	made->losses.rows = &row;
	made->losses.count = 1;
	made->stats.vnis = &vni;
	made->stats.vni_count = 1;
	made->stats.other_vnis = (struct hits){1, 100};
	made->stats.rules = &rule;
	made->stats.rule_count = 1;
	made->losses.allowances[0] = (struct loss_allowance){"ens5", 136812};
	made->losses.allowances[1] = (struct loss_allowance){"ens6", 136813};
	made->losses.allowance_count = 2;
	made->metrics.reloaded_at = 1764000000;
	made->metrics.process = &(struct process_usage){.max_fds = 1024};
	health_add(&made->health, HEALTH_DEGRADED, "one of two collectors is down");
	health_add(&made->health, HEALTH_BAD, "ens5 is down; ip link set dev ens5 up");
	text = print(made);
	free(made);
	return text;
}

static void promtool(void **state)
{
	char *text;
	FILE *checker;

	(void)state;
	if (system("command -v promtool > /dev/null") != 0) {
		print_message("this machine has no promtool\n");
		skip();
	}
	text = print_everything();
	checker = popen("promtool check metrics 2>&1", "w");
	assert_non_null(checker);
	fputs(text, checker);
	if (pclose(checker) != 0)
		fail_msg("promtool finds the above in\n%s", text);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_attached), cmocka_unit_test(conditions),
		cmocka_unit_test(numbers),          cmocka_unit_test(many_rules),
		cmocka_unit_test(allowances),       cmocka_unit_test(other_vnis),
		cmocka_unit_test(many_vnis),        cmocka_unit_test(drops),
		cmocka_unit_test(histograms),       cmocka_unit_test(longest_text),
		cmocka_unit_test(promtool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
