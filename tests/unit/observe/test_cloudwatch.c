// SPDX-License-Identifier: GPL-2.0-only
/* What CloudWatch is sent: what was added since it took the figures last, whatever happened meanwhile. */
#include <errno.h>
#include <unistd.h>

#include "observe/cloudwatch.h"
#include "tests/unit/unit.h"

#define RX      0 /* rows of made-up losses */
#define SEND    1
#define PROGRAM 2
#define ROWS    3

struct made {
	struct datapath_stats stats;
	struct datapath_condition condition;
	struct loss_row rows[ROWS];
	struct loss_table losses;
	struct health health;
	struct metrics metrics;
};

static void make(struct made *made)
{
	memset(made, 0, sizeof(*made));
	made->stats.state = DATAPATH_ATTACHED;
	made->condition.info.attached_at = 1764000000000000001;
	made->rows[RX] = (struct loss_row){LOSS_PLACE_NIC, "ens5", "rx_drops", 1000, ""};
	made->rows[SEND] = (struct loss_row){LOSS_PLACE_TRANSMIT, "", "send_failed", 40, ""};
	made->rows[PROGRAM] = (struct loss_row){LOSS_PLACE_PROGRAM, "", "unmatched", 50, ""};
	made->losses.rows = made->rows;
	made->losses.count = ROWS;
	made->stats.counters.verdict[VERDICT_REDIRECTED] = (struct hits){100, 20000};
	made->stats.counters.verdict[VERDICT_UNMATCHED] = (struct hits){50, 5000};
	made->stats.counters.verdict[VERDICT_OVERSIZE] = (struct hits){30, 90000};
	made->stats.counters.verdict[VERDICT_NOT_TUNNEL] = (struct hits){7000, 7000};
	made->metrics = (struct metrics){.stats = &made->stats,
					 .condition = &made->condition,
					 .losses = &made->losses,
					 .health = &made->health,
					 .daemon_running = true};
}

static void nothing(struct made *made)
{
	(void)made;
}

static void traffic(struct made *made)
{
	made->stats.counters.verdict[VERDICT_REDIRECTED].packets += 10;
	made->stats.counters.verdict[VERDICT_REDIRECTED].bytes += 2000;
	made->stats.counters.verdict[VERDICT_UNMATCHED].packets += 5;
	made->stats.counters.verdict[VERDICT_OVERSIZE].packets += 3;
	made->rows[RX].packets += 2;
	made->rows[SEND].packets += 1;
	made->rows[PROGRAM].packets += 5;
}

static void wishes_change(struct made *made)
{
	traffic(made);
	made->condition.oversize = OVERSIZE_DROP;
}

static void attached_anew(struct made *made)
{
	make(made);
	made->condition.info.attached_at++;
	made->rows[RX].packets += 2;
	made->stats.counters.verdict[VERDICT_REDIRECTED] = (struct hits){200, 40000};
}

static void counted_anew(struct made *made)
{
	memset(&made->stats.counters, 0, sizeof(made->stats.counters));
	made->stats.counters.verdict[VERDICT_REDIRECTED] = (struct hits){4, 800};
}

static void driver_loaded_anew(struct made *made)
{
	made->rows[RX].packets = 3;
}

static void read_too_early(struct made *made)
{
	made->stats.counters.cut_bytes += 4;
}

static void other_interface(struct made *made)
{
	strcpy(made->rows[RX].interface, "ens7");
	made->rows[RX].packets = 999999;
}

static void losses_not_counted(struct made *made)
{
	made->losses.count = 1;
}

static void stopped(struct made *made)
{
	made->stats.state = DATAPATH_ABSENT;
}

/* Received, sent, sent bytes, dropped, failed, lost, lost at the NIC; -1: left out. */
static const struct {
	const char *sentence;
	void (*happens)(struct made *made);
	int64_t expected[7];
} rows[] = {
	{"nothing came", nothing, {0, 0, 0, 0, 0, 0, 0}},
	{"packets came", traffic, {18, 10, 1500, 5, 3, 1, 2}},
	{"and what was a fault is wanted now", wishes_change, {18, 10, 1500, 8, 0, 1, 2}},
	{"another datapath counts from nothing, the interface goes on",
	 attached_anew,
	 {280, 200, 30000, 50, 30, 40, 2}},
	{"another version counts from nothing", counted_anew, {4, 4, 600, 0, 0, 0, 0}},
	{"the driver counts from nothing", driver_loaded_anew, {0, 0, 0, 0, 0, 0, 3}},
	{"bytes that were read a moment too early", read_too_early, {0, 0, 0, 0, 0, 0, 0}},
	{"another interface has counted for years", other_interface, {0, 0, 0, 0, 0, 0, 0}},
	{"what is lost on the way out is not told", losses_not_counted, {0, 0, 0, 0, 0, -1, 0}},
	{"nothing is attached", stopped, {-1, -1, -1, -1, -1, -1, -1}},
};

/* The value under the dimension; -1: there is none. */
static int64_t value_of(const json_t *document, const char *metric, const char *dimension)
{
	const json_t *data = json_object_get(document, "MetricData"), *datum;
	int64_t found = -1;
	size_t i;

	json_array_foreach (data, i, datum) {
		const json_t *set = json_array_get(json_object_get(datum, "Dimensions"), 0);
		const char *name = json_string_value(json_object_get(set, "Name"));

		if (strcmp(json_string_value(json_object_get(datum, "MetricName")), metric) != 0 ||
		    strcmp(name ? name : "", dimension) != 0)
			continue;
		assert_int_equal(found, -1);
		found = json_integer_value(json_object_get(datum, "Value"));
	}
	return found;
}

static void each_delta(void **state)
{
	static const char *const names[] = {"ReceivedPackets", "SentPackets",   "SentBytes",
					    "DroppedPackets",  "FailedPackets", "LostPackets",
					    "NicLostPackets"};
	const struct cloudwatch_dimensions dimensions = {"group", "i-1"};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct made made;
		json_t *sent, *now, *document;

		make(&made);
		sent = cloudwatch_state(&made.metrics);
		rows[i].happens(&made);
		now = cloudwatch_state(&made.metrics);
		document = cloudwatch_document(&made.metrics, now, sent, &dimensions);
		for (size_t n = 0; n < COUNT_OF(names); n++) {
			int64_t got = value_of(document, names[n], "InstanceId");

			assert_int_equal(got, value_of(document, names[n], "AutoScalingGroupName"));
			if (got == rows[i].expected[n])
				continue;
			print_message("%s: %s is %lld, not %lld\n", rows[i].sentence, names[n],
				      (long long)got, (long long)rows[i].expected[n]);
			failed++;
		}
		json_decref(document);
		json_decref(now);
		json_decref(sent);
	}
	assert_int_equal(failed, 0);
}

/* Of another boot, everything began anew, and the interfaces' counters, too. */
static void reboot(void **state)
{
	const struct cloudwatch_dimensions dimensions = {NULL, "i-1"};
	struct made made;
	json_t *sent, *now, *document;

	(void)state;
	make(&made);
	now = cloudwatch_state(&made.metrics);
	sent = json_deep_copy(now);
	json_object_set_new(sent, "boot", json_integer(70000));
	document = cloudwatch_document(&made.metrics, now, sent, &dimensions);
	assert_int_equal(value_of(document, "ReceivedPackets", "InstanceId"), 180);
	assert_int_equal(value_of(document, "NicLostPackets", "InstanceId"), 1000);
	assert_int_equal(value_of(document, "Healthy", "AutoScalingGroupName"), -1);
	json_decref(document);
	json_decref(sent);
	json_decref(now);
}

static void gauges(void **state)
{
	const struct cloudwatch_dimensions none = {0};
	struct made made;
	json_t *now, *document;

	(void)state;
	make(&made);
	made.condition.next_hops[NEXT_HOP_UNKNOWN] = 1;
	made.condition.next_hops[NEXT_HOP_FAILED] = 2;
	made.condition.next_hops[NEXT_HOP_RESOLVED] = 4;
	made.metrics.reload_failed = true;
	health_add(&made.health, HEALTH_DEGRADED, "one of two collectors is down");
	now = cloudwatch_state(&made.metrics);
	document = cloudwatch_document(&made.metrics, now, NULL, &none);
	assert_string_equal(json_string_value(json_object_get(document, "Namespace")),
			    "VxlanPipeline");
	assert_int_equal(value_of(document, "Healthy", ""), 1);
	assert_int_equal(value_of(document, "Degraded", ""), 1);
	assert_int_equal(value_of(document, "DaemonRunning", ""), 1);
	assert_int_equal(value_of(document, "ReloadFailed", ""), 1);
	assert_int_equal(value_of(document, "UnreachableTargets", ""), 3);
	/* never sent before: what the counters are says nothing of the last minute */
	assert_int_equal(value_of(document, "ReceivedPackets", ""), -1);
	assert_int_equal(value_of(document, "NicLostPackets", ""), -1);
	json_decref(document);
	health_add(&made.health, HEALTH_BAD, "ens5 is down");
	made.metrics.daemon_running = false;
	document = cloudwatch_document(&made.metrics, now, NULL, &none);
	assert_int_equal(value_of(document, "Healthy", ""), 0);
	assert_int_equal(value_of(document, "Degraded", ""), 0);
	assert_int_equal(value_of(document, "DaemonRunning", ""), 0);
	json_decref(document);
	json_decref(now);
}

static void write_text(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static void file(void **state)
{
	static const char *const no_states[] = {
		"",
		"[]",
		"{",
		"{\"layout\": 1}",
		"{\"layout\": 2, \"counters\": {}}",
		"{\"layout\": 1, \"counters\": 7}",
		"\xff",
	};
	char directory[] = "/tmp/cloudwatch.XXXXXX", path[64];
	struct made made;
	json_t *now, *read;
	struct error error;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/state", directory);
	make(&made);
	now = cloudwatch_state(&made.metrics);
	assert_int_equal(cloudwatch_load(path, &read, &error), 0);
	assert_null(read);
	assert_int_equal(cloudwatch_save(path, now, &error), 0);
	assert_int_equal(cloudwatch_load(path, &read, &error), 0);
	assert_true(json_equal(read, now));
	json_decref(read);
	for (size_t i = 0; i < COUNT_OF(no_states); i++) {
		write_text(path, no_states[i]);
		assert_int_equal(cloudwatch_load(path, &read, &error), 0);
		assert_null(read);
	}
	unlink(path);
	rmdir(directory);
	assert_int_equal(cloudwatch_save(path, now, &error), -ENOENT);
	json_decref(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_delta), cmocka_unit_test(reboot),
					   cmocka_unit_test(gauges), cmocka_unit_test(file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
