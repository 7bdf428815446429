// SPDX-License-Identifier: GPL-2.0-only
/* What left, from made-up counters; tests/fuzz compares it with the frames that the program sends. */
#include "observe/sent.h"
#include "tests/unit/unit.h"

static const struct {
	const char *sentence;
	enum verdict verdict;
	struct hits hits;   /* as the frames came */
	uint64_t fragments; /* made of them */
	uint64_t cut;       /* bytes beyond the usual tunnel */
	struct sent expected;
} rows[] = {
	{"nothing came", VERDICT_REDIRECTED, {0, 0}, 0, 0, {0, 0, 0}},
	{"a frame without its tunnel", VERDICT_REDIRECTED, {1, 150}, 0, 0, {1, 100, 0}},
	{"two of them, back out", VERDICT_TRANSMITTED, {2, 300}, 0, 0, {2, 200, 0}},
	{"the kernel gets them without it, too", VERDICT_PASSED, {3, 450}, 0, 0, {3, 300, 0}},
	{"an outer VLAN tag and a trailer are cut off",
	 VERDICT_REDIRECTED,
	 {1, 160},
	 0,
	 10,
	 {1, 100, 0}},
	{"each fragment has headers of its own", VERDICT_FRAGMENTED, {1, 2064}, 2, 0, {2, 2048, 2}},
	{"three fragments and two", VERDICT_FRAGMENTED, {2, 5000}, 5, 0, {5, 5002, 5}},
	{"what is dropped does not leave", VERDICT_UNMATCHED, {4, 600}, 0, 0, {0, 0, 0}},
	{"what was no tunnel is the kernel's", VERDICT_NOT_TUNNEL, {4, 600}, 0, 0, {0, 0, 0}},
	{"more than 32 bits",
	 VERDICT_REDIRECTED,
	 {1ULL << 40, 150ULL << 40},
	 0,
	 0,
	 {1ULL << 40, 100ULL << 40, 0}},
};

static void sums(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct counters counters = {.fragments = rows[i].fragments,
					    .cut_bytes = rows[i].cut};
		struct sent got;

		counters.verdict[rows[i].verdict] = rows[i].hits;
		got = sent_derive(&counters);
		if (memcmp(&got, &rows[i].expected, sizeof(got)) != 0)
			fail_msg("%s: %llu packets, %llu bytes, %llu fragments", rows[i].sentence,
				 (unsigned long long)got.packets, (unsigned long long)got.bytes,
				 (unsigned long long)got.fragments);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sums)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
