// SPDX-License-Identifier: GPL-2.0-only
/* Health from made-up readings: what counts as a reason, and what does not. */
#include <errno.h>
#include <net/if.h>

#include "observe/health.h"
#include "tests/unit/unit.h"

#define INSTANCE "unit-test-of-health"
#define DAEMON   4711

/* One that is attached to the loopback interface and well. */
static struct datapath_condition well(void)
{
	struct datapath_condition condition = {.state = DATAPATH_ATTACHED, .beat_age_ms = 50};

	condition.info.listen_ifindex = condition.info.egress_ifindex = if_nametoindex("lo");
	strcpy(condition.info.listen, "lo");
	strcpy(condition.info.egress, "lo");
	condition.losses.counted = true;
	return condition;
}

static void health_text(const struct health *health, char *text, size_t size)
{
	*text = '\0';
	for (size_t i = 0; i < health->count; i++) {
		/* where the tests run loopback may be down */
		if (strcmp(health->reasons[i], "lo is down; ip link set dev lo up") != 0)
			snprintf(text + strlen(text), size - strlen(text), "%s\n",
				 health->reasons[i]);
	}
}

static void judge(struct health_watch *watch, const struct datapath_condition *condition,
		  pid_t daemon, char *text, size_t size)
{
	struct health health;

	health_judge(&health, watch, INSTANCE, condition, daemon, NULL);
	health_text(&health, text, size);
}

static void one_reading(void **state)
{
	static const struct {
		const char *sentence;
		enum datapath_state state;
		int64_t beat_age_ms;
		pid_t daemon;
		const char *expected; /* part of the reasons; "": there are none */
	} rows[] = {
		{"attached, and the daemon beats", DATAPATH_ATTACHED, 50, DAEMON, ""},
		{"a beat that is a little late", DATAPATH_ATTACHED, HEALTH_STALLED_MS, DAEMON, ""},
		{"a beat that is too late", DATAPATH_ATTACHED, HEALTH_STALLED_MS + 1, DAEMON,
		 "process 4711, has stalled: its last sign of life was 1.7 s ago; systemctl "
		 "restart"},
		{"no beat yet", DATAPATH_ATTACHED, -1, DAEMON, "process 4711, has given no sign"},
		{"no daemon", DATAPATH_ATTACHED, 50, 0, "no daemon runs"},
		{"nothing pinned, no daemon", DATAPATH_ABSENT, -1, 0,
		 "nothing is attached; systemctl start vxlan-pipeline@unit-test-of-health\n"},
		{"nothing pinned, a daemon", DATAPATH_ABSENT, -1, DAEMON,
		 "the pinned state is gone"},
		{"another program in the link", DATAPATH_REPLACED, 50, DAEMON,
		 "another tool put its program into lo's link; a reload"},
		{"detached", DATAPATH_DETACHED, 50, DAEMON,
		 "detached from lo; a reload attaches it again"},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = well();
		struct health_watch watch = {0};
		char text[2000];

		condition.state = rows[i].state;
		condition.beat_age_ms = rows[i].beat_age_ms;
		judge(&watch, &condition, rows[i].daemon, text, sizeof(text));
		if (!*rows[i].expected || !strstr(text, rows[i].expected))
			failures += row_differs(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

/* What only the daemon knows. */
static void said_by_the_daemon(void **state)
{
	static const struct {
		const char *sentence;
		enum datapath_state state;
		struct instance_reloads said;
		const char *expected; /* all reasons */
	} rows[] = {
		{"nothing", DATAPATH_ATTACHED, {.ended = 1}, ""},
		{"it has not begun",
		 DATAPATH_ATTACHED,
		 {.ended = 0},
		 "the daemon, process 4711, is starting\n"},
		{"nor attached anything",
		 DATAPATH_ABSENT,
		 {.ended = 0},
		 "the daemon, process 4711, is starting\n"},
		{"an interface is waited for",
		 DATAPATH_ABSENT,
		 {.ended = 1, .trouble = "no interface ens6"},
		 "waiting for its interfaces: no interface ens6\n"},
		{"an interface has changed",
		 DATAPATH_ATTACHED,
		 {.ended = 1, .trouble = "ens6's MTU"},
		 "the configuration cannot be applied again: ens6's MTU\n"},
		{"HTTP comes last",
		 DATAPATH_ABSENT,
		 {.ended = 1, .trouble = "no ens6", .unserved = "taken"},
		 "waiting for its interfaces: no ens6\n"
		 "HTTP is not served, which is tried again every second: taken\n"},
		{"HTTP alone",
		 DATAPATH_ATTACHED,
		 {.ended = 1, .unserved = "taken"},
		 "HTTP is not served, which is tried again every second: taken\n"},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = well();
		struct health_watch watch = {0};
		struct health health;
		char text[2000];

		condition.state = rows[i].state;
		health_judge(&health, &watch, INSTANCE, &condition, DAEMON, &rows[i].said);
		health_text(&health, text, sizeof(text));
		failures += row_differs(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

static void interfaces(void **state)
{
	struct datapath_condition condition = well();
	struct health_watch watch = {0};
	char text[2000];

	(void)state;
	strcpy(condition.info.listen, "no-such-nic");
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	assert_string_equal(text, "no-such-nic does not exist\n");
	condition = well();
	condition.info.egress_ifindex = condition.info.listen_ifindex + 4000;
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	assert_string_equal(text, "lo is not the interface that the program is attached to: it was "
				  "made anew\n");
}

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
		 "50 of 50 packets were refused before the queue of forward.interface: No such "
		 "device or address\n"},
		{"one in a hundred is a burst too many", 1200, 102, 0, ""},
		{"more than one in a hundred is not", 1200, 103, -ENOBUFS,
		 "3 of 200 packets were refused before the queue of forward.interface: No buffer "
		 "space available\n"},
		{"the only one", 1001, 101, 0,
		 "1 of 1 packets were refused before the queue of forward.interface: no reason "
		 "given\n"},
		{"counted between two readings of the other", 1001, 103, -ENXIO,
		 "3 of 3 packets were refused before the queue of forward.interface: No such "
		 "device "
		 "or address\n"},
		{"counters that began anew", 10, 0, 0, ""},
		{"losses that began anew", 2000, 3, -ENXIO, ""},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = well();
		struct health_watch watch = {0};
		char text[2000];

		condition.counters.verdict[VERDICT_REDIRECTED].packets = 1000;
		condition.losses.of[LOSS_REDIRECT].packets = 100;
		judge(&watch, &condition, DAEMON, text, sizeof(text));
		failures += row_differs("the first reading has no reason", text, "");
		condition.counters.verdict[VERDICT_REDIRECTED].packets = rows[i].sent;
		condition.losses.of[LOSS_REDIRECT].packets = rows[i].lost;
		condition.losses.of[LOSS_REDIRECT].error = rows[i].error;
		judge(&watch, &condition, DAEMON, text, sizeof(text));
		failures += row_differs(rows[i].sentence, text, rows[i].expected);
		condition.counters.verdict[VERDICT_REDIRECTED].packets += 1;
		judge(&watch, &condition, DAEMON, text, sizeof(text));
		failures += row_differs("it is over when a packet is not lost", text, "");
	}
	assert_int_equal(failures, 0);
}

/* A reading of packets that the driver may not have taken, and whether that is a reason. */
struct reading {
	const char *sentence;
	uint64_t sent; /* since the reading before, as is the next */
	uint64_t lost;
	bool reason;
};

/* One after the other. Returns how many were judged otherwise than with `reason`, or without any. */
static int judge_readings(const struct reading *readings, size_t count, const char *reason)
{
	struct datapath_condition condition = well();
	struct health_watch watch = {0};
	int failures = 0;
	char text[2000];

	judge(&watch, &condition, DAEMON, text, sizeof(text));
	for (size_t i = 0; i < count; i++) {
		condition.counters.verdict[VERDICT_REDIRECTED].packets += readings[i].sent;
		condition.losses.of[LOSS_SEND].packets += readings[i].lost;
		judge(&watch, &condition, DAEMON, text, sizeof(text));
		if (readings[i].reason ? !strstr(text, reason) : *text)
			failures += row_differs(readings[i].sentence, text,
						readings[i].reason ? reason : "");
	}
	return failures;
}

/* A packet now and then, each lost: readings in between say nothing. */
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

/* Less than one in a hundred, but all the time. */
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

static void same_reasons(void **state)
{
	static const struct {
		const char *sentence;
		const char *one;
		const char *other;
		bool same;
	} rows[] = {
		{"the same text", "in0 is down", "in0 is down", true},
		{"other numbers of packets", "5 of 10 packets were lost",
		 "71 of 100 packets were lost", true},
		{"another time", "its last sign of life was 1.8 s ago",
		 "its last sign of life was 12.0 s ago", true},
		{"a number at the end", "an MTU of 1500", "an MTU of 900", true},
		{"another interface", "in0 is down", "in1 is down", false},
		{"another address", "10.0.0.1 (rule 1): no route", "10.0.0.2 (rule 1): no route",
		 false},
		{"another rule", "10.0.0.1 (rule 1): no route", "10.0.0.1 (rule 2): no route",
		 false},
		{"a longer text", "in0 is down", "in0 is down too", false},
		{"a number and none", "3 packets", "packets", false},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct health one = {0}, other = {0};

		health_add(&one, "%s", rows[i].one);
		health_add(&other, "%s", rows[i].other);
		if (health_same_reasons(&one, &other) != rows[i].same ||
		    health_same_reasons(&other, &one) != rows[i].same)
			failures += row_differs(rows[i].sentence, "",
						rows[i].same ? "the same" : "different");
		health_add(&other, "another reason");
		if (health_same_reasons(&one, &other))
			failures += row_differs(rows[i].sentence, "", "one reason and two");
	}
	assert_int_equal(failures, 0);
}

static void more_reasons_than_fit(void **state)
{
	struct health health = {0};

	(void)state;
	for (int i = 0; i < HEALTH_MAX_REASONS + 5; i++)
		health_add(&health, "%0*d", HEALTH_REASON_SIZE + 50, i);
	assert_int_equal(health.count, HEALTH_MAX_REASONS);
	assert_int_equal(strlen(health.reasons[HEALTH_MAX_REASONS - 1]), HEALTH_REASON_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reading),   cmocka_unit_test(said_by_the_daemon),
		cmocka_unit_test(interfaces),    cmocka_unit_test(losses),
		cmocka_unit_test(losses_of_few), cmocka_unit_test(leaks),
		cmocka_unit_test(same_reasons),  cmocka_unit_test(more_reasons_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
