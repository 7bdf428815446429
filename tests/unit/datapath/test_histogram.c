// SPDX-License-Identifier: GPL-2.0-only
/* Every size is in the first bucket whose bound is not smaller; computed as bpf/account.h does it. */
#include "datapath/histogram.h"
#include "tests/unit/unit.h"

static void every_size(void **state)
{
	uint8_t slots[SIZE_SLOTS];

	(void)state;
	histogram_fill_slots(slots);
	for (uint32_t length = 1; length <= SIZE_STEP * SIZE_SLOTS; length++) {
		size_t expected = 0;
		uint32_t slot = (length - 1) / SIZE_STEP, got = slots[slot];

		got += slot == SIZE_BOUND_BETWEEN / SIZE_STEP && length > SIZE_BOUND_BETWEEN;

		while (expected < HISTOGRAM_SIZE_BOUNDS && length > histogram_size_bound[expected])
			expected++;
		if (got != expected)
			fail_msg("%u bytes: bucket %u, not %zu", length, got, expected);
	}
	assert_int_equal(slots[SIZE_SLOTS - 1], HISTOGRAM_SIZE_BOUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_size)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
