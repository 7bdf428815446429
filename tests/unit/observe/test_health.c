// SPDX-License-Identifier: GPL-2.0-only
/* Health from made-up readings: which are a reason, how severe it is, and which are none. */
#include <errno.h>
#include <net/if.h>

#include "observe/health.h"
#include "tests/unit/unit.h"

#define INSTANCE "unit-test-of-health"
#define DAEMON   4711

/* The condition of an instance that is attached to the loopback interface and good. */
static struct datapath_condition good(void)
{
	struct datapath_condition condition = {.state = DATAPATH_ATTACHED, .beat_age_ms = 50};

	condition.info.listen_ifindex = condition.info.egress_ifindex = if_nametoindex("lo");
	strcpy(condition.info.listen, "lo");
	strcpy(condition.info.egress, "lo");
	condition.losses.counted = true;
	return condition;
}

/* `text`: the reasons, each on a line behind its severity. */
static void health_text(const struct health *health, char *text, size_t size)
{
	*text = '\0';
	for (size_t i = 0; i < health->count; i++) {
		const struct health_reason *reason = &health->reasons[i];

		/* loopback may be down where the tests run */
		if (strcmp(reason->text, "lo is down; ip link set dev lo up") != 0)
			snprintf(text + strlen(text), size - strlen(text), "%s: %s\n",
				 health_severity_name(reason->severity), reason->text);
	}
}

static void judge(struct health_watch *watch, const struct datapath_condition *condition,
		  pid_t daemon, char *text, size_t size)
{
	const struct instance_daemon judged = {.place = daemon ? DAEMON_HERE : DAEMON_NOWHERE,
					       .pid = daemon};
	struct health health;

	health_judge(&health, watch, INSTANCE, condition, &judged, NULL);
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
		 "bad: the daemon, process 4711, has stalled: its last sign of life was 1.7 s ago; "
		 "systemctl "
		 "restart"},
		{"no beat yet", DATAPATH_ATTACHED, -1, DAEMON,
		 "bad: the daemon, process 4711, has given no sign"},
		{"no daemon", DATAPATH_ATTACHED, 50, 0, "bad: no daemon runs"},
		{"nothing pinned, no daemon", DATAPATH_ABSENT, -1, 0,
		 "bad: nothing is attached; systemctl start vxlan-pipeline@unit-test-of-health\n"},
		{"nothing pinned, a daemon", DATAPATH_ABSENT, -1, DAEMON,
		 "bad: the pinned state is gone"},
		{"another program in the link", DATAPATH_REPLACED, 50, DAEMON,
		 "bad: another tool put its program into lo's link; a reload"},
		{"detached", DATAPATH_DETACHED, 50, DAEMON,
		 "bad: the program was detached from lo; a reload attaches it again"},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = good();
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

/* Reasons that only the daemon knows. */
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
		 "bad: the daemon, process 4711, is starting\n"},
		{"nor attached anything",
		 DATAPATH_ABSENT,
		 {.ended = 0},
		 "bad: the daemon, process 4711, is starting\n"},
		{"an interface is waited for",
		 DATAPATH_ABSENT,
		 {.ended = 1, .trouble = "no interface ens6"},
		 "bad: waiting for its interfaces: no interface ens6\n"},
		{"an interface has changed",
		 DATAPATH_ATTACHED,
		 {.ended = 1, .trouble = "ens6's MTU"},
		 "bad: the configuration cannot be applied again: ens6's MTU\n"},
		{"HTTP comes last",
		 DATAPATH_ABSENT,
		 {.ended = 1, .trouble = "no ens6", .unserved = "taken"},
		 "bad: waiting for its interfaces: no ens6\n"
		 "degraded: HTTP is not served, which is tried again every second: taken\n"},
		{"HTTP alone",
		 DATAPATH_ATTACHED,
		 {.ended = 1, .unserved = "taken"},
		 "degraded: HTTP is not served, which is tried again every second: taken\n"},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = good();
		struct health_watch watch = {0};
		struct health health;
		char text[2000];

		condition.state = rows[i].state;
		health_judge(&health, &watch, INSTANCE, &condition,
			     &(struct instance_daemon){.place = DAEMON_HERE, .pid = DAEMON},
			     &rows[i].said);
		health_text(&health, text, sizeof(text));
		failures += row_differs(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

static void interfaces(void **state)
{
	struct datapath_condition condition = good();
	struct health_watch watch = {0};
	char text[2000];

	(void)state;
	strcpy(condition.info.listen, "no-such-nic");
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	assert_string_equal(text, "bad: no-such-nic does not exist\n");
	condition = good();
	condition.info.egress_ifindex = condition.info.listen_ifindex + 4000;
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	assert_string_equal(text,
			    "bad: lo is not the interface that the program is attached to: it was "
			    "made anew\n");
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

		health_add(&one, HEALTH_BAD, "%s", rows[i].one);
		health_add(&other, HEALTH_BAD, "%s", rows[i].other);
		if (health_same_reasons(&one, &other) != rows[i].same ||
		    health_same_reasons(&other, &one) != rows[i].same)
			failures += row_differs(rows[i].sentence, "",
						rows[i].same ? "the same" : "different");
		other.reasons[0].severity = HEALTH_DEGRADED;
		if (health_same_reasons(&one, &other))
			failures += row_differs(rows[i].sentence, "", "another severity");
		other.reasons[0].severity = HEALTH_BAD;
		health_add(&other, HEALTH_BAD, "another reason");
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
		health_add(&health, HEALTH_DEGRADED, "%0*d", HEALTH_REASON_SIZE + 50, i);
	assert_int_equal(health.count, HEALTH_MAX_REASONS);
	assert_int_equal(strlen(health.reasons[HEALTH_MAX_REASONS - 1].text),
			 HEALTH_REASON_SIZE - 1);
	assert_int_equal(health_condition(&health), HEALTH_DEGRADED);
	for (int i = 0; i < HEALTH_MAX_REASONS + 5; i++) {
		health_add(&health, HEALTH_BAD, "bad number %d", i);
		assert_int_equal(health_condition(&health), HEALTH_BAD);
	}
	assert_int_equal(health.count, HEALTH_MAX_REASONS);
	assert_string_equal(health.reasons[0].text, "bad number 15");
	health_add(&health, HEALTH_DEGRADED, "too late");
	assert_string_equal(health.reasons[HEALTH_MAX_REASONS - 1].text, "bad number 0");
}

static void condition(void **state)
{
	struct health health = {0};

	(void)state;
	assert_int_equal(health_condition(&health), HEALTH_GOOD);
	assert_null(health_worst_reason(&health));
	health_add(&health, HEALTH_DEGRADED, "one collector is down");
	assert_int_equal(health_condition(&health), HEALTH_DEGRADED);
	assert_string_equal(health_worst_reason(&health), "one collector is down");
	health_add(&health, HEALTH_BAD, "in0 is down");
	health_add(&health, HEALTH_DEGRADED, "generic mode");
	assert_int_equal(health_condition(&health), HEALTH_BAD);
	assert_string_equal(health_worst_reason(&health), "in0 is down");
}

/* The name of a reason stays the same while its numbers change. */
static void constant_reasons(void **state)
{
	static const struct {
		const char *text;
		const char *constant;
	} rows[] = {
		{"in0 is down", "in0 is down"},
		{"5 of 10 packets were lost", "N of N packets were lost"},
		{"its last sign of life was 1.8 s ago", "its last sign of life was N s ago"},
		{"10.0.0.1 (rule 1): no route", "10.0.0.1 (rule 1): no route"},
		{"an MTU of 1500", "an MTU of N"},
		{"", ""},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct health_reason reason = {0};
		char text[HEALTH_REASON_SIZE], little[4];

		snprintf(reason.text, sizeof(reason.text), "%s", rows[i].text);
		health_reason_constant(&reason, text, sizeof(text));
		failures += row_differs(rows[i].text, text, rows[i].constant);
		health_reason_constant(&reason, little, sizeof(little));
		text[sizeof(little) - 1] = '\0';
		failures += row_differs("and in less room", little, text);
	}
	assert_int_equal(failures, 0);
}

/* Generic mode is a reason if native mode was wanted. */
static void generic_mode(void **state)
{
	struct datapath_condition condition = good();
	struct health_watch watch = {0};
	char text[2000];

	(void)state;
	condition.info.generic = 1;
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	assert_string_equal(text, "");
	condition.info.generic = GENERIC_FALLBACK;
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	assert_non_null(strstr(text, "degraded: lo is in generic mode"));
	condition.info.generic = 0;
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	assert_string_equal(text, "");
}

/* forward.interface: an MTU too small for the packets, and a driver that needs a program. */
static void egress(void **state)
{
	struct datapath_condition condition = good();
	struct health_watch watch = {0};
	char text[2000];

	(void)state;
	condition.mtu = 70000;
	condition.egress_detached = true;
	judge(&watch, &condition, DAEMON, text, sizeof(text));
	if (!*text) {
		print_message("loopback is down here\n");
		skip();
	}
	assert_non_null(strstr(text, "bad: lo's MTU is 65536, less than the 70000 bytes"));
	assert_non_null(strstr(text, "bad: the passing program was detached from lo"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reading),
		cmocka_unit_test(said_by_the_daemon),
		cmocka_unit_test(interfaces),
		cmocka_unit_test(same_reasons),
		cmocka_unit_test(more_reasons_than_fit),
		cmocka_unit_test(condition),
		cmocka_unit_test(constant_reasons),
		cmocka_unit_test(generic_mode),
		cmocka_unit_test(egress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
