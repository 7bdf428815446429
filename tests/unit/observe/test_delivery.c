// SPDX-License-Identifier: GPL-2.0-only
/* From made-up readings: which verdicts and losses are a reason, and how severe it is. */
#include <errno.h>

#include "tests/unit/observe/delivery_rows.h"

/* ---- Losses ---- */

/* Each row is a reading after one in which 1000 packets had been sent and 100 of them lost. */
static void losses(void **state)
{
	static const struct {
		const char *sentence;
		uint64_t sent;
		uint64_t lost;
		int error;
		const char *expected;
	} rows[] = {
		{"nothing happens", 1000, 100, 0, ""},
		{"what was lost before is no reason", 9000, 100, -ENXIO, ""},
		{"every packet is lost", 1050, 150, -ENXIO,
		 "bad: 50 of 50 packets were refused before the queue of forward.interface: No "
		 "such "
		 "device or address\n"},
		{"one in a hundred is a burst too many", 1200, 102, 0, ""},
		{"more than one in a hundred is not", 1200, 103, -ENOBUFS,
		 "degraded: 3 of 200 packets were refused before the queue of forward.interface: "
		 "No buffer "
		 "space available\n"},
		{"the only one", 1001, 101, 0,
		 "degraded: 1 of 1 packets were refused before the queue of forward.interface: no "
		 "reason "
		 "given\n"},
		{"counted between two readings of the other", 1001, 103, -ENXIO,
		 "bad: 3 of 3 packets were refused before the queue of forward.interface: No such "
		 "device "
		 "or address\n"},
		{"half of them", 1200, 200, -ENXIO,
		 "bad: 100 of 200 packets were refused before the queue of forward.interface: No "
		 "such device or address\n"},
		{"less than half", 1200, 199, -ENXIO,
		 "degraded: 99 of 200 packets were refused before the queue of forward.interface: "
		 "No "
		 "such device or address\n"},
		{"counters that began anew", 10, 0, 0, ""},
		{"losses that began anew", 2000, 3, -ENXIO, ""},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = good();
		struct health_watch watch = {0};
		char text[2000];

		condition.counters.verdict[VERDICT_REDIRECTED].packets = 1000;
		condition.losses.of[LOSS_REDIRECT].packets = 100;
		judge(&watch, &condition, text, sizeof(text));
		failures += row_differs("the first reading has no reason", text, "");
		condition.counters.verdict[VERDICT_REDIRECTED].packets = rows[i].sent;
		condition.losses.of[LOSS_REDIRECT].packets = rows[i].lost;
		condition.losses.of[LOSS_REDIRECT].error = rows[i].error;
		judge(&watch, &condition, text, sizeof(text));
		failures += row_differs(rows[i].sentence, text, rows[i].expected);
		condition.counters.verdict[VERDICT_REDIRECTED].packets += 1;
		judge(&watch, &condition, text, sizeof(text));
		failures += row_differs("it is over when a packet is not lost", text, "");
	}
	assert_int_equal(failures, 0);
}

/* A reading of sent and lost packets, and whether it is a reason. */
struct reading {
	const char *sentence;
	uint64_t sent; /* since the reading before, as is the next */
	uint64_t lost;
	bool reason;
};

/* Judges readings one after the other. Returns how many were not judged as expected. */
static int judge_readings(const struct reading *readings, size_t count, const char *reason)
{
	struct datapath_condition condition = good();
	struct health_watch watch = {0};
	int failures = 0;
	char text[2000];

	judge(&watch, &condition, text, sizeof(text));
	for (size_t i = 0; i < count; i++) {
		condition.counters.verdict[VERDICT_REDIRECTED].packets += readings[i].sent;
		condition.losses.of[LOSS_SEND].packets += readings[i].lost;
		judge(&watch, &condition, text, sizeof(text));
		if (readings[i].reason ? !strstr(text, reason) : *text)
			failures += row_differs(readings[i].sentence, text,
						readings[i].reason ? reason : "");
	}
	return failures;
}

/* A packet now and then, each lost: the readings without packets prove nothing. */
static void losses_of_few(void **state)
{
	static const struct reading readings[] = {
		{"one packet, lost", 1, 1, true},
		{"no packet", 0, 0, true},
		{"another one, lost", 1, 1, true},
		{"no packet", 0, 0, true},
		{"none for a second", 0, 0, true},
		{"none for longer: it may have healed", 0, 0, false},
		{"lost again", 1, 1, true},
		{"one that is not lost", 1, 0, false},
		{"no packet after that", 0, 0, false},
	};

	(void)state;
	assert_int_equal(judge_readings(readings, COUNT_OF(readings),
					"1 of 1 packets were not taken by the driver of "
					"forward.interface: no reason given\n"),
			 0);
}

/* Less than one packet in a hundred is lost, but all the time. */
static void leaks(void **state)
{
	static const struct reading readings[] = {
		{"nothing is lost", 100000, 0, false},
		{"a few are", 100000, 20, false},
		{"again", 100000, 20, false},
		{"and again", 100000, 20, true},
		{"still", 100000, 11, true},
		{"one in ten thousand is no leak", 100000, 10, false},
		{"a few are", 100000, 20, false},
		{"again", 100000, 20, false},
		{"no packet says nothing", 0, 0, false},
		{"and again", 100000, 20, true},
		{"none for a while", 0, 0, true},
		{"it is over", 100000, 0, false},
	};

	(void)state;
	assert_int_equal(judge_readings(readings, COUNT_OF(readings),
					" of 100000 packets were not taken by the driver"),
			 0);
}

/* ---- Verdicts ---- */

/* Each row is a reading after a first one. */
static void shares(void **state)
{
	static const struct {
		const char *sentence;
		struct counted counted;
		enum oversize_mode oversize;
		const char *expected; /* part of the reasons; "": there are none */
	} rows[] = {
		{"no packets", {0}, OVERSIZE_FRAGMENT, ""},
		{"all leave", {.redirected = 1000}, OVERSIZE_FRAGMENT, ""},
		{"error, less than 1 in 100",
		 {.redirected = 100, .error = 1},
		 OVERSIZE_FRAGMENT,
		 ""},
		{"error, 1 in 100",
		 {.redirected = 99, .error = 1},
		 OVERSIZE_FRAGMENT,
		 "degraded: 1 of 100" ERROR_REASON},
		{"error, less than 1 in 2",
		 {.redirected = 51, .error = 50},
		 OVERSIZE_FRAGMENT,
		 "degraded: 50 of 101" ERROR_REASON},
		{"error, 1 in 2",
		 {.redirected = 50, .error = 50},
		 OVERSIZE_FRAGMENT,
		 "bad: 50 of 100" ERROR_REASON},
		{"error, all", {.error = 100}, OVERSIZE_FRAGMENT, "bad: 100 of 100" ERROR_REASON},
		{"a single packet says nothing of the others",
		 {.error = 1},
		 OVERSIZE_FRAGMENT,
		 "degraded: 1 of 1" ERROR_REASON},
		{"two do", {.error = 2}, OVERSIZE_FRAGMENT, "bad: 2 of 2" ERROR_REASON},
		{"no_route, less than 1 in 100",
		 {.redirected = 1000, .no_route = 10},
		 OVERSIZE_FRAGMENT,
		 ""},
		{"no_route, 1 in 100",
		 {.redirected = 990, .no_route = 10},
		 OVERSIZE_FRAGMENT,
		 "degraded: 10 of 1000" NO_ROUTE_REASON},
		{"no_route, less than 1 in 2",
		 {.redirected = 501, .no_route = 500},
		 OVERSIZE_FRAGMENT,
		 "degraded: 500 of 1001" NO_ROUTE_REASON},
		{"no_route, 1 in 2",
		 {.redirected = 500, .no_route = 500},
		 OVERSIZE_FRAGMENT,
		 "bad: 500 of 1000" NO_ROUTE_REASON},
		{"no_route, as nobody answers",
		 {.redirected = 500, .no_route = 500, .neighbour_unknown = 500},
		 OVERSIZE_FRAGMENT,
		 "bad: 500 of 1000" SILENT_REASON},
		{"no_route, mostly as nobody answers",
		 {.no_route = 500, .neighbour_unknown = 251},
		 OVERSIZE_FRAGMENT,
		 "bad: 500 of 500" SILENT_REASON},
		{"oversize, less than 1 in 100",
		 {.redirected = 100, .oversize = 1},
		 OVERSIZE_FRAGMENT,
		 ""},
		{"oversize, 1 in 100",
		 {.redirected = 99, .oversize = 1},
		 OVERSIZE_FRAGMENT,
		 "degraded: 1 of 100" OVERSIZE_REASON " forward.mtu (1500 bytes)"},
		{"oversize, less than 1 in 2",
		 {.redirected = 6, .oversize = 5},
		 OVERSIZE_PASS,
		 "degraded: 5 of 11" OVERSIZE_REASON},
		{"oversize, 1 in 2",
		 {.redirected = 5, .oversize = 5},
		 OVERSIZE_PASS,
		 "bad: 5 of 10" OVERSIZE_REASON},
		{"oversize, asked for", {.redirected = 1, .oversize = 1000}, OVERSIZE_DROP, ""},
		{"what was asked for is no part of the whole",
		 {.redirected = 1, .oversize = 1000, .error = 2},
		 OVERSIZE_DROP,
		 "bad: 2 of 3" ERROR_REASON},
		{"passed", {.passed = 1000}, OVERSIZE_FRAGMENT, ""},
		{"passed and dropped, less than 1 in 100",
		 {.redirected = 100, .passed = 1, .dropped = 1},
		 OVERSIZE_FRAGMENT,
		 ""},
		{"passed and dropped, 1 in 100",
		 {.redirected = 99, .passed = 1, .dropped = 1},
		 OVERSIZE_FRAGMENT,
		 "degraded: 1 of 100" PASSED_REASON},
		{"passed and dropped, less than 1 in 2",
		 {.redirected = 51, .passed = 50, .dropped = 50},
		 OVERSIZE_FRAGMENT,
		 "degraded: 50 of 101" PASSED_REASON},
		{"passed and dropped, 1 in 2",
		 {.redirected = 40, .passed = 60, .dropped = 50},
		 OVERSIZE_FRAGMENT,
		 "bad: 50 of 100" PASSED_REASON},
		{"dropped some time after they were passed",
		 {.dropped = 50},
		 OVERSIZE_FRAGMENT,
		 "bad: 50 of 50" PASSED_REASON},
		{"several at once",
		 {.redirected = 2, .oversize = 1, .error = 1, .no_route = 1},
		 OVERSIZE_FRAGMENT,
		 "degraded: 1 of 5" OVERSIZE_REASON},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = good();
		struct health_watch watch = {0};
		char text[2000];

		condition.oversize = rows[i].oversize;
		count(&condition, &(struct counted){5, 500, 500, 500, 500, 500, 500, 500});
		judge(&watch, &condition, text, sizeof(text));
		failures += row_differs("what was counted before is no reason", text, "");
		count(&condition, &rows[i].counted);
		judge(&watch, &condition, text, sizeof(text));
		failures += row_lacks(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

/* Which verdicts are part of the whole, the packets that should leave. */
static void whole(void **state)
{
	int failures = 0;

	(void)state;
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		bool leaves = v == VERDICT_REDIRECTED || v == VERDICT_TRANSMITTED ||
			      v == VERDICT_FRAGMENTED || v == VERDICT_PASSED;
		struct datapath_condition condition = good();
		struct health_watch watch = {0};
		char text[2000];

		if (v == VERDICT_ERROR || v == VERDICT_NO_ROUTE || v == VERDICT_OVERSIZE)
			continue;
		judge(&watch, &condition, text, sizeof(text));
		count(&condition, &(struct counted){.error = 9});
		condition.counters.verdict[v].packets = 1000;
		judge(&watch, &condition, text, sizeof(text));
		failures += row_lacks("beside 1000 of another verdict", text,
				      leaves ? "" : "bad: 9 of 9" ERROR_REASON);
	}
	assert_int_equal(failures, 0);
}

/* The kernel routes no truncated packet, but the configuration asks for passing it nevertheless. */
static void passed_truncated(void **state)
{
	static const struct {
		const char *sentence;
		struct counted counted;
		enum fallback truncated;
		const char *expected;
	} rows[] = {
		{"asked for", {.passed = 60, .dropped = 60, .truncated = 60}, FALLBACK_PASS, ""},
		{"and others besides",
		 {.passed = 70, .dropped = 70, .truncated = 60},
		 FALLBACK_PASS,
		 "degraded: 10 of 70" PASSED_REASON},
		{"not asked for",
		 {.passed = 60, .dropped = 60, .truncated = 60},
		 FALLBACK_DROP,
		 "bad: 60 of 60" PASSED_REASON},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = good();
		struct health_watch watch = {0};
		char text[2000];

		condition.truncated = rows[i].truncated;
		judge(&watch, &condition, text, sizeof(text));
		count(&condition, &rows[i].counted);
		judge(&watch, &condition, text, sizeof(text));
		failures += row_lacks(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

/* One reading after the other: how long a reason stands. */
static void shares_over_time(void **state)
{
	static const struct {
		const char *sentence;
		uint64_t redirected, error; /* since the reading before */
		const char *expected;
	} rows[] = {
		{"all leave", 1000, 0, ""},
		{"a fault begins in the middle of a reading", 500, 500, "degraded: 500 of 2000"},
		{"and takes all", 0, 1000, "bad: 1500 of 2000"},
		{"all", 0, 1000, "bad: 2000 of 2000"},
		{"no packets", 0, 0, "bad: 2000 of 2000"},
		{"none for longer", 0, 0, "bad: 2000 of 2000"},
		{"none for so long that it may have healed", 0, 0, ""},
		{"still none", 0, 0, ""},
		{"all again", 0, 1000, "bad: 1000 of 1000"},
		{"a reading without any ends it", 1000, 0, ""},
		{"a fault that takes one in fifty", 980, 20, "degraded: 20 of 2000"},
		{"again", 980, 20, "degraded: 40 of 2000"},
		{"too few to have shown it", 20, 0, "degraded: 20 of 1020"},
		{"enough", 1000, 0, ""},
		{"a packet now and then, lost: the first one is one of many", 0, 1, ""},
		{"no packets", 0, 0, ""},
		{"a packet, lost", 0, 1, "bad: 2 of 2"},
		{"no packets", 0, 0, "bad: 2 of 2"},
		{"none for longer", 0, 0, "bad: 2 of 2"},
		{"a packet, lost", 0, 1, "bad: 2 of 2"},
		{"a packet that left", 1, 0, ""},
		{"no packets", 0, 0, ""},
	};
	struct datapath_condition condition = good();
	struct health_watch watch = {0};
	char text[2000];
	int failures = 0;

	(void)state;
	judge(&watch, &condition, text, sizeof(text));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		count(&condition,
		      &(struct counted){.redirected = rows[i].redirected, .error = rows[i].error});
		judge(&watch, &condition, text, sizeof(text));
		failures += row_lacks(rows[i].sentence, text, rows[i].expected);
	}
	condition.counters = (struct counters){0};
	judge(&watch, &condition, text, sizeof(text));
	failures += row_differs("counters that began anew", text, "");
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses),
		cmocka_unit_test(losses_of_few),
		cmocka_unit_test(leaks),
		cmocka_unit_test(shares),
		cmocka_unit_test(whole),
		cmocka_unit_test(passed_truncated),
		cmocka_unit_test(shares_over_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
