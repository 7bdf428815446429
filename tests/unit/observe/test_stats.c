// SPDX-License-Identifier: GPL-2.0-only
/* Statistics from made-up counters: which counters count a frame, and how they are printed. */
#include <time.h>

#include "observe/stats.h"
#include "tests/unit/unit.h"

/* A frame of 100 bytes, and the counters that count it. */
static const struct {
	const char *sentence;
	enum verdict verdict;
	unsigned int events; /* bit 1 << EVENT_x */
	const char *expected;
} frames[] = {
	{"no tunnel", VERDICT_NOT_TUNNEL, 0, "total_packets"},
	{"a fragment of an outer packet", VERDICT_OUTER_FRAGMENT, 0, "total_packets"},
	{"a source that is not allowed", VERDICT_SOURCE_DENIED, 0, "total_packets"},
	{"an outer header that contradicts itself", VERDICT_MALFORMED, 0, "total_packets errors"},
	{"an inner header that does", VERDICT_MALFORMED, 1 << EVENT_INNER_MALFORMED,
	 "total_packets vxlan_packets errors"},
	{"a VXLAN header without its flag", VERDICT_BAD_VXLAN, 0, "total_packets errors"},
	{"a VNI that is not listed", VERDICT_UNKNOWN_VNI, 0, "total_packets vxlan_packets"},
	{"inside is no IP", VERDICT_INNER_NOT_IP, 0, "total_packets vxlan_packets"},
	{"an inner packet that was cut short", VERDICT_TRUNCATED, 1 << EVENT_INNER_TRUNCATED,
	 "total_packets vxlan_packets errors"},
	{"no rule matches", VERDICT_UNMATCHED, 0, "total_packets vxlan_packets inner_packets"},
	{"sent on", VERDICT_REDIRECTED, 1 << EVENT_NAT_APPLIED,
	 "total_packets vxlan_packets inner_packets nat_applied forwarded redirected"},
	{"sent on without DF", VERDICT_REDIRECTED, 1 << EVENT_NAT_APPLIED | 1 << EVENT_DF_CLEARED,
	 "total_packets vxlan_packets inner_packets nat_applied df_cleared forwarded redirected"},
	{"sent on without a rule", VERDICT_REDIRECTED, 1 << EVENT_TRAILER_CUT,
	 "total_packets vxlan_packets inner_packets forwarded redirected"},
	{"sent back", VERDICT_TRANSMITTED, 1 << EVENT_NAT_APPLIED,
	 "total_packets vxlan_packets inner_packets nat_applied forwarded"},
	{"sent in fragments", VERDICT_FRAGMENTED, 1 << EVENT_NAT_APPLIED | 1 << EVENT_ID_ASSIGNED,
	 "total_packets vxlan_packets inner_packets nat_applied forwarded"},
	{"handed to the kernel", VERDICT_PASSED,
	 1 << EVENT_NAT_APPLIED | 1 << EVENT_NEIGHBOUR_UNKNOWN,
	 "total_packets vxlan_packets inner_packets nat_applied forwarded"},
	{"cut short, and forwarded all the same", VERDICT_PASSED, 1 << EVENT_INNER_TRUNCATED,
	 "total_packets vxlan_packets inner_packets forwarded"},
	{"too large", VERDICT_OVERSIZE, 1 << EVENT_NAT_APPLIED,
	 "total_packets vxlan_packets inner_packets nat_applied"},
	{"no route", VERDICT_NO_ROUTE, 1 << EVENT_NAT_APPLIED,
	 "total_packets vxlan_packets inner_packets nat_applied errors"},
	{"the program failed", VERDICT_ERROR, 0,
	 "total_packets vxlan_packets inner_packets errors"},
};

static void count_frames(struct counters *counters, size_t row, uint64_t frames_of_it)
{
	counters->verdict[frames[row].verdict].packets += frames_of_it;
	counters->verdict[frames[row].verdict].bytes += 100 * frames_of_it;
	for (enum event event = 0; event < EVENT_COUNT; event++) {
		if (frames[row].events & 1U << event)
			counters->event[event] += frames_of_it;
	}
}

/* Appends the name of a counter that is not 0, and its value if it is not 1. */
static void append_counter(char *text, size_t size, const char *name, uint64_t value)
{
	size_t used = strlen(text);

	if (!value)
		return;
	snprintf(text + used, size - used, "%s%s", used ? " " : "", name);
	used = strlen(text);
	if (value != 1)
		snprintf(text + used, size - used, "=%lld", (long long)value);
}

/* All counters except bytes_processed. */
static const char *counters_text(const struct stats_counters *counters, char *text, size_t size)
{
	struct stats_counters packets = *counters;

	packets.bytes_processed = 0;
	*text = '\0';
#define X(name, meaning) append_counter(text, size, #name, packets.name);
	STATS_COUNTERS(X)
#undef X
	return text;
}

static void each_frame(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(frames); i++) {
		struct counters counters = {0};
		struct stats_counters got;
		char text[512];

		count_frames(&counters, i, 1);
		got = stats_derive(&counters);
		failed += row_differs(frames[i].sentence, counters_text(&got, text, sizeof(text)),
				      frames[i].expected);
		assert_int_equal(got.bytes_processed, 100);
	}
	assert_int_equal(failed, 0);
}

/* Is the name one of the words of the text? */
static bool names(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = text; (at = strstr(at, name)); at += length) {
		if ((at == text || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	}
	return false;
}

/* A different number of each kind of frame, more than 32 bits hold. */
static void frames_together(void **state)
{
	struct counters counters = {0};
	struct stats_counters expected = {0}, got;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(frames); i++) {
		uint64_t count = 5000000000 + (1ULL << i);

		count_frames(&counters, i, count);
#define X(name, meaning) expected.name += names(frames[i].expected, #name) ? count : 0;
		STATS_COUNTERS(X)
#undef X
		expected.bytes_processed += 100 * count;
	}
	got = stats_derive(&counters);
	assert_memory_equal(&got, &expected, sizeof(got));
}

static void every_verdict_has_a_row(void **state)
{
	(void)state;
	for (enum verdict verdict = VERDICT_GO_ON + 1; verdict < VERDICT_COUNT; verdict++) {
		bool found = false;

		for (size_t i = 0; i < COUNT_OF(frames); i++)
			found |= frames[i].verdict == verdict;
		assert_true(found);
	}
}

static struct datapath_vni some_vnis[] = {
	{0, {1, 60}},
	{16777215, {6000000000, 900000000000}},
};

static struct datapath_rule some_rules[] = {
	{.to = {{4, {10, 2, 41, 17}}, 8081}, .hits = {7, 700}, .name = "syslog"},
	{.to = {{6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, 0}, .name = "1c05bd6f"},
};

/* Three frames of two verdicts, two VNIs and two rules. */
static struct datapath_stats some_stats(void)
{
	struct datapath_stats stats = {
		.state = DATAPATH_ATTACHED,
		.info = {.listen = "ens5",
			 .egress = "ens6",
			 .generic = 1,
			 .attached_at = 1764000000000000000ULL},
		.vnis = some_vnis,
		.vni_count = COUNT_OF(some_vnis),
		.rules = some_rules,
		.rule_count = COUNT_OF(some_rules),
	};

	stats.counters.verdict[VERDICT_REDIRECTED] = (struct hits){2, 300};
	stats.counters.verdict[VERDICT_BAD_VXLAN] = (struct hits){1, 60};
	stats.counters.event[EVENT_DF_CLEARED] = 1;
	stats.counters.histograms.size[1] = 3;
	stats.counters.histograms.size_sum = 360;
	stats.counters.histograms.time[3] = 3;
	stats.counters.histograms.time[TIME_BUCKETS - 1] = 1;
	stats.counters.histograms.time_sum = 1000600;
	return stats;
}

static struct datapath_condition some_condition = {
	.next_hops = {[NEXT_HOP_RESOLVED] = 2, [NEXT_HOP_FAILED] = 1},
};
static struct health some_health = {
	.reasons = {{HEALTH_DEGRADED, "one of two collectors is down"}},
	.count = 1,
};
static struct loss_row some_losses[] = {
	{LOSS_PLACE_NIC, "ens5", "rx_drops", 12, "had no room"},
	{LOSS_PLACE_NIC, "ens6", "rx_drops", 0, "had no room"},
	{LOSS_PLACE_PROGRAM, "", "bad_vxlan", 1, "no I flag"},
};
static struct loss_table some_loss = {.rows = some_losses, .count = COUNT_OF(some_losses)};

static struct stats_view view_of(const char *instance, const struct datapath_stats *stats,
				 double seconds)
{
	return (struct stats_view){.instance = instance,
				   .stats = stats,
				   .condition = &some_condition,
				   .health = &some_health,
				   .losses = &some_loss,
				   .seconds = seconds};
}

/* Seconds since the machine was started. */
static double boottime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + now.tv_nsec / 1e9;
}

static void as_json(void **state)
{
	static const char expected[] =
		"{\"instance\": \"blue\", \"interface\": \"ens5\", \"target\": \"ens6\", "
		"\"mode\": \"generic\", \"since\": \"2025-11-24T16:00:00Z\", "
		"\"health\": {\"healthy\": true, \"condition\": \"degraded\", "
		"\"reasons\": [\"one of two collectors is down\"]}, \"counters\": "
		"{\"total_packets\": 3, \"vxlan_packets\": 2, "
		"\"inner_packets\": 2, \"nat_applied\": 0, \"df_cleared\": 1, \"forwarded\": 2, "
		"\"redirected\": 2, \"errors\": 1, \"bytes_processed\": 360}, "
		"\"sent\": {\"packets\": 2, \"bytes\": 200, \"fragments\": 0}, "
		"\"losses\": [{\"place\": \"nic\", \"interface\": \"ens5\", \"reason\": "
		"\"rx_drops\", \"packets\": 12, \"meaning\": \"had no room\"}, "
		"{\"place\": \"nic\", \"interface\": \"ens6\", \"reason\": "
		"\"rx_drops\", \"packets\": 0, \"meaning\": \"had no room\"}, "
		"{\"place\": \"program\", \"interface\": null, \"reason\": \"bad_vxlan\", "
		"\"packets\": 1, \"meaning\": \"no I flag\"}], "
		"\"transmit_losses_counted\": false, "
		"\"next_hops\": {\"unknown\": 0, \"resolved\": 2, \"local\": 0, "
		"\"failed\": 1}, "
		"\"vnis\": [{\"packets\": 1, \"bytes\": 60, \"vni\": 0}, "
		"{\"packets\": 6000000000, \"bytes\": 900000000000, \"vni\": 16777215}], "
		"\"rules\": [{\"packets\": 7, \"bytes\": 700, \"rule\": 1, "
		"\"name\": \"syslog\", \"to\": \"10.2.41.17:8081\"}, "
		"{\"packets\": 0, \"bytes\": 0, \"rule\": 2, "
		"\"name\": \"1c05bd6f\", \"to\": \"2001:db8::1\"}]}";
	struct datapath_stats stats = some_stats();
	struct stats_view view = view_of("blue", &stats, 0);
	json_t *document = stats_json(&view), *verdicts, *buckets;
	char *text;

	(void)state;
	assert_non_null(document);
	verdicts = json_incref(json_object_get(document, "verdicts"));
	/* other tests check the values */
	assert_true(json_is_real(json_object_get(document, "uptime_seconds")));
	json_object_del(document, "uptime_seconds");
	json_object_del(document, "verdicts");
	assert_int_equal(json_object_size(json_object_get(document, "events")), EVENT_COUNT);
	json_object_del(document, "events");
	buckets = json_object_get(json_object_get(document, "packet_size_bytes"), "buckets");
	text = json_dumps(json_array_get(buckets, 1), 0);
	assert_string_equal(text, "{\"up_to\": 128, \"packets\": 3}");
	free(text);
	json_object_del(document, "packet_size_bytes");
	buckets = json_object_get(json_object_get(document, "program_duration_ns"), "buckets");
	text = json_dumps(json_array_get(buckets, TIME_BUCKETS - 1), 0);
	assert_string_equal(text, "{\"up_to\": null, \"packets\": 1}");
	free(text);
	json_object_del(document, "program_duration_ns");
	text = json_dumps(document, JSON_PRESERVE_ORDER);
	assert_string_equal(text, expected);
	free(text);
	json_decref(document);

	/* all verdicts, including those at zero */
	assert_int_equal(json_object_size(verdicts), VERDICT_COUNT - 1);
	text = json_dumps(json_object_get(verdicts, "bad_vxlan"), 0);
	assert_string_equal(text, "{\"packets\": 1, \"bytes\": 60}");
	free(text);
	text = json_dumps(json_object_get(verdicts, "passed"), 0);
	assert_string_equal(text, "{\"packets\": 0, \"bytes\": 0}");
	free(text);
	json_decref(verdicts);
}

/* Empty lists, and all counters at zero. */
static void of_an_idle_instance(void **state)
{
	struct datapath_stats stats = {.info = {.listen = "ens5", .egress = "ens5"}};
	struct stats_view view = view_of("config", &stats, 0);
	json_t *document = stats_json(&view);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(document, "mode")), "native");
	assert_true(json_is_array(json_object_get(document, "vnis")));
	assert_int_equal(json_array_size(json_object_get(document, "vnis")), 0);
	assert_true(json_is_array(json_object_get(document, "rules")));
	assert_int_equal(json_array_size(json_object_get(document, "rules")), 0);
	json_decref(document);
}

static void uptime(void **state)
{
	double before = boottime(), after, got;
	struct instance_info info = {.attached_boottime = (uint64_t)(before * 1e9) - 2500000000};

	(void)state;
	got = stats_uptime(&info);
	after = boottime();
	/* a double holds years of uptime to a few microseconds */
	assert_true(got >= 2.4999 && got <= after - before + 2.5001);
}

typedef void print_stats(const struct datapath_stats *stats, FILE *stream);

static void print_blue(const struct datapath_stats *stats, FILE *stream)
{
	struct stats_view view = view_of("blue", stats, 0);

	stats_print(&view, stream);
}

static void print_interval(const struct datapath_stats *stats, FILE *stream)
{
	struct stats_view view = view_of("blue", stats, 10);

	stats_print(&view, stream);
}

/* The caller frees it. */
static char *printed(print_stats *print, const struct datapath_stats *stats)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	print(stats, stream);
	fclose(stream);
	return text;
}

static void as_text(void **state)
{
	static const char first[] = "instance blue: ens5 -> ens6, generic mode, ";
	static const char others[] =
		"\n"
		"health degraded\n"
		"  one of two collectors is down\n"
		"\n"
		"Counters\n"
		"  total_packets                           3  frames that reached the program\n"
		"  vxlan_packets                           2  frames with a valid VXLAN header\n"
		"  inner_packets                           2  inner packets that the rules were "
		"asked about\n"
		"  nat_applied                             0  packets that a rule re-addressed\n"
		"  df_cleared                              1  packets whose DF was cleared\n"
		"  forwarded                               2  packets that left: redirected, "
		"transmitted, fragmented or passed\n"
		"  redirected                              2  packets sent out of "
		"forward.interface\n"
		"  errors                                  1  malformed, bad_vxlan, truncated, "
		"no_route and error\n"
		"  bytes_processed                       360  bytes of all frames as they "
		"arrived\n"
		"\n"
		"Verdicts                            packets              bytes\n"
		"  bad_vxlan                               1                 60  VXLAN header "
		"without the I flag\n"
		"  redirected                              2                300  sent out of "
		"forward.interface\n"
		"\n"
		"Events\n"
		"  df_cleared                              1  DF was cleared\n"
		"\n"
		"Sizes of frames                     packets              share\n"
		"  up to 128 bytes                         3             100.0%  "
		"########################################\n"
		"  on average                            120 bytes\n"
		"\n"
		"Time in the program               1 in 1024              share\n"
		"  up to 256 ns                            3              75.0%  "
		"##############################\n"
		"  longer                                  1              25.0%  ##########\n"
		"  on average                         250150 ns\n"
		"\n"
		"Lost, all in all\n"
		"  nic ens5                               12  rx_drops: had no room\n"
		"\n"
		"Next hops\n"
		"  resolved                                2\n"
		"  failed                                  1\n"
		"\n"
		"VNIs\n"
		"  0                                       1                 60  \n"
		"  16777215                       6000000000       900000000000  \n"
		"\n"
		"Rules\n"
		"  syslog                                  7                700  "
		"rule 1, to 10.2.41.17:8081\n"
		"  1c05bd6f                                0                  0  "
		"rule 2, to 2001:db8::1\n";
	struct datapath_stats stats = some_stats();
	char *text = printed(print_blue, &stats);

	(void)state;
	assert_int_equal(strncmp(text, first, strlen(first)), 0);
	assert_string_equal(strstr(text, " s\n") + 2, others);
	free(text);

	stats.vni_count = stats.rule_count = 0;
	text = printed(print_blue, &stats);
	assert_null(strstr(text, "VNIs"));
	assert_null(strstr(text, "Rules"));
	free(text);
}

/* Of ten seconds: what came in a second, and no row in which nothing came. */
static void of_an_interval(void **state)
{
	struct datapath_vni vnis_before[] = {{0, {1, 60}}, {7, {5, 50}}};
	struct datapath_rule rules_before[] = {{.hits = {2, 200}, .name = "syslog"},
					       {.hits = {9, 900}, .name = "gone"}};
	struct datapath_stats before = {.info.attached_at = 1764000000000000000ULL,
					.vnis = vnis_before,
					.vni_count = COUNT_OF(vnis_before),
					.rules = rules_before,
					.rule_count = COUNT_OF(rules_before)};
	struct datapath_vni vnis[COUNT_OF(some_vnis)];
	struct datapath_rule rules[COUNT_OF(some_rules)];
	struct datapath_stats stats = some_stats();
	struct stats_view view = view_of("blue", &stats, 10);
	json_t *document, *rule;
	char *text;

	(void)state;
	memcpy(vnis, some_vnis, sizeof(vnis));
	memcpy(rules, some_rules, sizeof(rules));
	stats.vnis = vnis;
	stats.rules = rules;
	before.counters.verdict[VERDICT_REDIRECTED] = (struct hits){1, 100};
	assert_int_equal(stats_subtract(&stats, &before), 0);
	document = stats_json(&view);
	assert_true(json_real_value(json_object_get(document, "seconds")) == 10);
	rule = json_array_get(json_object_get(document, "rules"), 0);
	assert_true(json_real_value(json_object_get(rule, "packets")) == 0.5);
	assert_true(json_real_value(json_object_get(rule, "bytes")) == 50);
	json_decref(document);
	text = printed(print_interval, &stats);
	assert_non_null(strstr(text, "\ncounted during 10.0 s\n"));
	assert_non_null(strstr(text, "\nCounters per second\n"));
	assert_non_null(strstr(text, "\n  redirected                            0.1               "
				     "20.0  sent out"));
	assert_non_null(strstr(text, "\n  syslog                                0.5               "
				     "50.0  rule 1, to 10.2.41.17:8081\n"));
	assert_null(strstr(text, "1c05bd6f"));
	assert_null(strstr(text, "\n  0   "));
	free(text);
	/* attached anew meanwhile: all of it came since */
	stats = some_stats();
	before.info.attached_at--;
	assert_int_equal(stats_subtract(&stats, &before), 0);
	assert_int_equal(stats.rules[0].hits.packets, 7);
}

static void as_lines_in_capitals(void **state)
{
	struct datapath_stats stats = some_stats();
	char *text = printed(stats_dump, &stats);

	(void)state;
	assert_string_equal(text, "TOTAL_PACKETS 3\n"
				  "VXLAN_PACKETS 2\n"
				  "INNER_PACKETS 2\n"
				  "NAT_APPLIED 0\n"
				  "DF_CLEARED 1\n"
				  "FORWARDED 2\n"
				  "REDIRECTED 2\n"
				  "ERRORS 1\n"
				  "BYTES_PROCESSED 360\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_frame),
		cmocka_unit_test(frames_together),
		cmocka_unit_test(every_verdict_has_a_row),
		cmocka_unit_test(as_json),
		cmocka_unit_test(of_an_idle_instance),
		cmocka_unit_test(uptime),
		cmocka_unit_test(as_text),
		cmocka_unit_test(of_an_interval),
		cmocka_unit_test(as_lines_in_capitals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
