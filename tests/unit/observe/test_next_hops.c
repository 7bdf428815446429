// SPDX-License-Identifier: GPL-2.0-only
/* From made-up readings: which next hops are a reason, how severe it is, and what it explains. */
#include <arpa/inet.h>

#include "tests/unit/observe/delivery_rows.h"

static struct datapath_unresolved hop(const char *address, uint32_t rule, bool failed)
{
	struct datapath_unresolved hop = {.rule = rule, .failed = failed};

	hop.target.version = 4;
	inet_pton(AF_INET, address, hop.target.bytes);
	return hop;
}

/* How many targets are in which state, and how severe that is. */
static void next_hops(void **state)
{
	static const struct {
		const char *sentence;
		size_t resolved, local, unknown, failed;
		const char *expected;
	} rows[] = {
		{"no targets", 0, 0, 0, 0, ""},
		{"all are resolved", 3, 0, 0, 0, ""},
		{"all are this host's", 0, 2, 0, 0, ""},
		{"one of three does not answer", 2, 0, 0, 1, "degraded: 127.9.0.1 (rule 1): "},
		{"one of three is not resolved", 2, 0, 1, 0, "degraded: 127.9.0.1 (rule 1): "},
		{"two of three do not answer", 1, 0, 0, 2, "degraded: 127.9.0.2 (rule 2): "},
		{"one of two, the other is this host's", 0, 1, 0, 1, "degraded: 127.9.0.1"},
		{"none of three answers", 0, 0, 0, 3, "bad: 127.9.0.3 (rule 3): "},
		{"the only one does not answer", 0, 0, 0, 1, "bad: 127.9.0.1 (rule 1): "},
		{"the only one is not resolved", 0, 0, 1, 0, "bad: 127.9.0.1 (rule 1): "},
		{"more than are shown", 1, 0, 2, 5, "degraded: 3 next hops more are not resolved"},
		{"more than are shown, and none serves", 0, 0, 2, 5,
		 "bad: 3 next hops more are not resolved"},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = good();
		struct health_watch watch = {0};
		size_t silent = rows[i].unknown + rows[i].failed;
		char text[2000], address[32];

		condition.next_hops[NEXT_HOP_RESOLVED] = rows[i].resolved;
		condition.next_hops[NEXT_HOP_LOCAL] = rows[i].local;
		condition.next_hops[NEXT_HOP_UNKNOWN] = rows[i].unknown;
		condition.next_hops[NEXT_HOP_FAILED] = rows[i].failed;
		for (size_t n = 0; n < silent && n < DATAPATH_UNRESOLVED_SHOWN; n++) {
			snprintf(address, sizeof(address), "127.9.0.%zu", n + 1);
			condition.unresolved[n] = hop(address, n + 1, n >= rows[i].unknown);
			condition.unresolved_count++;
		}
		judge(&watch, &condition, text, sizeof(text));
		failures += row_lacks(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

/* no_route while a target fails: the packets that the target's reason explains, and the others. */
static void explained(void **state)
{
	static const struct {
		const char *sentence;
		struct counted counted;
		uint64_t failing; /* packets for the target that fails */
		bool counts;      /* are they added up? */
		const char *expected;
	} rows[] = {
		{"all of them are for the target",
		 {.no_route = 1000, .neighbour_unknown = 1000},
		 1000,
		 true,
		 ""},
		{"beside others, which leave",
		 {.redirected = 500, .no_route = 1000},
		 1000,
		 true,
		 ""},
		{"counted a moment later", {.redirected = 9, .no_route = 1000}, 970, true, ""},
		{"none of them",
		 {.redirected = 500, .no_route = 500},
		 0,
		 true,
		 "bad: 500 of 1000" NO_ROUTE_REASON},
		{"some of them",
		 {.redirected = 900, .no_route = 1100},
		 800,
		 true,
		 "degraded: 100 of 1000" NO_ROUTE_REASON},
		{"more rules than are added up", {.redirected = 5, .no_route = 1000}, 0, false, ""},
		{"an error is another matter",
		 {.no_route = 1000, .error = 10},
		 1000,
		 true,
		 "bad: 10 of 10" ERROR_REASON},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct datapath_condition condition = good();
		struct health_watch watch = {0};
		char text[2000], *own;

		condition.next_hops[NEXT_HOP_RESOLVED] = condition.next_hops[NEXT_HOP_FAILED] = 1;
		condition.unresolved[0] = hop("127.9.0.1", 1, true);
		condition.unresolved_count = 1;
		condition.unresolved_counted = rows[i].counts;
		judge(&watch, &condition, text, sizeof(text));
		condition.unresolved[0].packets = condition.unresolved_packets = rows[i].failing;
		count(&condition, &rows[i].counted);
		judge(&watch, &condition, text, sizeof(text));
		own = strstr(text, "degraded: 127.9.0.1 (rule 1): ");
		assert_non_null(own);
		failures += row_lacks(rows[i].sentence, strchr(own, '\n') + 1, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

/* A reading in which a target begins to fail, or answers again, is no evidence. */
static void failing_for_a_while(void **state)
{
	struct datapath_condition condition = good();
	struct health_watch watch = {0};
	char text[2000];

	(void)state;
	condition.next_hops[NEXT_HOP_RESOLVED] = 2;
	judge(&watch, &condition, text, sizeof(text));
	condition.next_hops[NEXT_HOP_RESOLVED] = condition.next_hops[NEXT_HOP_FAILED] = 1;
	condition.unresolved[0] = hop("127.9.0.1", 1, true);
	condition.unresolved_count = 1;
	condition.unresolved_counted = true;
	condition.unresolved_packets = condition.unresolved[0].packets = 70000;
	count(&condition, &(struct counted){.no_route = 300, .neighbour_unknown = 300});
	judge(&watch, &condition, text, sizeof(text));
	assert_null(strstr(text, "no_route"));
	condition.next_hops[NEXT_HOP_RESOLVED] = 2;
	condition.next_hops[NEXT_HOP_FAILED] = condition.unresolved_count = 0;
	condition.unresolved_packets = 0;
	count(&condition, &(struct counted){.no_route = 300, .neighbour_unknown = 300});
	judge(&watch, &condition, text, sizeof(text));
	assert_string_equal(text, "");
	count(&condition, &(struct counted){.no_route = 300, .neighbour_unknown = 300});
	judge(&watch, &condition, text, sizeof(text));
	assert_string_equal(text, "bad: 300 of 300" SILENT_REASON "; ip neigh show dev lo\n");
}

/*
 * The daemon knows no way to the target, but the kernel may: the datapath asks it for each packet.
 */
static void arrives_all_the_same(void **state)
{
	static const struct {
		const char *sentence;
		uint64_t packets, no_route; /* since the reading before */
		const char *expected;
	} rows[] = {
		{"no packets: the daemon's word stands", 0, 0, "bad: 127.9.0.1 (rule 1): "},
		{"they leave", 100, 0, ""},
		{"no packets", 0, 0, ""},
		{"a few do not", 100, 10, "degraded: 10 of 200" NO_ROUTE_REASON},
		{"half of them do not", 100, 50, "bad: 127.9.0.1 (rule 1): "},
		{"no packets", 0, 0, "bad: 127.9.0.1 (rule 1): "},
		{"they leave again", 100, 0, ""},
	};
	struct datapath_condition condition = good();
	struct health_watch watch = {0};
	char text[2000];
	int failures = 0;

	(void)state;
	condition.next_hops[NEXT_HOP_UNKNOWN] = 1;
	condition.unresolved[0] = hop("127.9.0.1", 1, false);
	condition.unresolved_count = 1;
	condition.unresolved_counted = true;
	judge(&watch, &condition, text, sizeof(text));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		condition.unresolved[0].packets += rows[i].packets;
		condition.unresolved_packets += rows[i].packets;
		count(&condition, &(struct counted){
					  .redirected = rows[i].packets - rows[i].no_route,
					  .no_route = rows[i].no_route,
				  });
		judge(&watch, &condition, text, sizeof(text));
		failures += row_lacks(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_hops),
		cmocka_unit_test(explained),
		cmocka_unit_test(failing_for_a_while),
		cmocka_unit_test(arrives_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
