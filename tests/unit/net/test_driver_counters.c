// SPDX-License-Identifier: GPL-2.0-only
/* The meaning of drivers' statistics, by their names. */
#include "net/driver_counters.h"
#include "tests/unit/unit.h"

#define STATS 8

/* Writes "NAME PACKETS\n" for each loss. */
static void describe(const char *driver, unsigned int sides, const struct ethtool_stat *stats,
		     char *text, size_t size)
{
	struct driver_loss loss;
	size_t count = 0, cursor = 0, used = 0;

	while (count < STATS && *stats[count].name)
		count++;
	*text = '\0';
	while (driver_counters_next_loss(driver, sides, stats, count, &cursor, &loss)) {
		assert_non_null(loss.meaning);
		used += snprintf(text + used, size - used, "%s %llu\n", loss.name,
				 (unsigned long long)loss.packets);
		assert_true(used < size);
	}
}

static void lost_packets(void **state)
{
	static const struct {
		const char *sentence;
		const char *driver;
		unsigned int sides;
		struct ethtool_stat stats[STATS];
		const char *expected;
	} rows[] = {
		{"an allowance of ENA",
		 "ena",
		 LOST_RECEIVING,
		 {{"suspend", 9},
		  {"bw_in_allowance_exceeded", 7},
		  {"bw_out_allowance_exceeded", 8}},
		 "bw_in_allowance_exceeded 7\n"},
		{"the other side has the other one",
		 "ena",
		 LOST_SENDING,
		 {{"bw_in_allowance_exceeded", 7}, {"bw_out_allowance_exceeded", 8}},
		 "bw_out_allowance_exceeded 8\n"},
		{"single-arm has both, each once",
		 "ena",
		 LOST_RECEIVING | LOST_SENDING,
		 {{"bw_in_allowance_exceeded", 7},
		  {"pps_allowance_exceeded", 1},
		  {"bw_out_allowance_exceeded", 8}},
		 "bw_in_allowance_exceeded 7\nbw_out_allowance_exceeded 8\npps_allowance_exceeded "
		 "1\n"},
		{"queues are summed, whatever their number",
		 "ena",
		 LOST_RECEIVING,
		 {{"queue_0_rx_page_alloc_fail", 1},
		  {"queue_9_rx_page_alloc_fail", 10},
		  {"queue_31_rx_page_alloc_fail", 100}},
		 "queue_N_rx_page_alloc_fail 111\n"},
		{"zero is said, too: it is counted",
		 "ena",
		 LOST_RECEIVING,
		 {{"rx_drops", 0}},
		 "rx_drops 0\n"},
		{"names that only begin or end alike",
		 "ena",
		 LOST_RECEIVING,
		 {{"rx_drops_total", 1},
		  {"queue__rx_page_alloc_fail", 2},
		  {"queue_N_rx_page_alloc_fail", 3},
		  {"queue_1_rx_page_alloc_failures", 4},
		  {"old_queue_1_rx_page_alloc_fail", 5}},
		 ""},
		{"what XDP drops is verdicts, not losses",
		 "virtio_net",
		 LOST_RECEIVING,
		 {{"rx_queue_0_drops", 50},
		  {"rx_queue_0_xdp_drops", 40},
		  {"rx_queue_1_drops", 5},
		  {"rx_queue_1_xdp_drops", 5}},
		 "rx_queue_N_drops 10\n"},
		{"so it is under the names of Linux 6.11, totals left out",
		 "virtio_net",
		 LOST_RECEIVING,
		 {{"rx_drops", 55}, {"rx_xdp_drops", 45}, {"rx0_drops", 55}, {"rx0_xdp_drops", 45}},
		 "rxN_drops 10\n"},
		{"a part that was read later than the whole",
		 "virtio_net",
		 LOST_RECEIVING,
		 {{"rx0_drops", 5}, {"rx0_xdp_drops", 6}},
		 "rxN_drops 0\n"},
		{"one driver's name is not another's",
		 "virtio_net",
		 LOST_RECEIVING,
		 {{"bw_in_allowance_exceeded", 7}, {"rx_overruns", 1}},
		 ""},
		{"veth's drops are refused redirects",
		 "veth",
		 LOST_RECEIVING | LOST_SENDING,
		 {{"rx_queue_0_drops", 25}, {"rx_queue_0_xdp_drops", 0}},
		 ""},
		{"a driver that nobody knows", "", LOST_RECEIVING, {{"rx_drops", 1}}, ""},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[500];

		describe(rows[i].driver, rows[i].sides, rows[i].stats, text, sizeof(text));
		failures += row_differs(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

/*
 * Writes "STATISTIC PACKETS\n" for each allowance, then the statistics with functions of their own.
 */
static void describe_named(const struct ethtool_stat *stats, char *text, size_t size)
{
	size_t count = 0, used = 0;
	uint64_t value;

	while (count < STATS && *stats[count].name)
		count++;
	*text = '\0';
	for (enum driver_allowance i = 0; i < DRIVER_ALLOWANCES; i++) {
		assert_non_null(driver_allowance_meaning(i));
		if (driver_counters_exceeded(i, stats, count, &value))
			used += snprintf(text + used, size - used, "%s %llu\n",
					 driver_allowance_statistic(i), (unsigned long long)value);
	}
	if (driver_counters_connections_left(stats, count, &value))
		used += snprintf(text + used, size - used, "left %llu\n",
				 (unsigned long long)value);
	if (driver_counters_overruns(stats, count, &value))
		used += snprintf(text + used, size - used, "overruns %llu\n",
				 (unsigned long long)value);
	assert_true(used < size);
}

static void named_statistics(void **state)
{
	static const struct {
		const char *sentence;
		struct ethtool_stat stats[STATS];
		const char *expected;
	} rows[] = {
		{"each allowance has a statistic",
		 {{"linklocal_allowance_exceeded", 5},
		  {"conntrack_allowance_exceeded", 4},
		  {"pps_allowance_exceeded", 3},
		  {"bw_out_allowance_exceeded", 2},
		  {"bw_in_allowance_exceeded", 1}},
		 "bw_in_allowance_exceeded 1\nbw_out_allowance_exceeded 2\n"
		 "pps_allowance_exceeded 3\nconntrack_allowance_exceeded 4\n"
		 "linklocal_allowance_exceeded 5\n"},
		{"zero is counted, too",
		 {{"pps_allowance_exceeded", 0}},
		 "pps_allowance_exceeded 0\n"},
		{"connections that are left are no loss",
		 {{"conntrack_allowance_available", 900}},
		 "left 900\n"},
		{"a full ring goes by many names, and has queues",
		 {{"rx_overruns", 1}, {"queue_0_rx_overrun_errors", 10}, {"tx_overruns", 100}},
		 "overruns 11\n"},
		{"a driver without any", {{"rx_drops", 1}}, ""},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[500];

		describe_named(rows[i].stats, text, sizeof(text));
		failures += row_differs(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_packets),
		cmocka_unit_test(named_statistics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
