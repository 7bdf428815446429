// SPDX-License-Identifier: GPL-2.0-only
/* The latency histogram: buckets without a gap, percentiles that are never too low. */
#include "generate/latency.h"
#include "tests/unit/unit.h"

static void add(struct latency *latency, uint64_t ns, uint64_t times)
{
	struct latency one = {.samples = times, .sum = ns * times, .minimum = ns, .maximum = ns};

	one.bucket[latency_bucket(ns)] = times;
	latency_merge(latency, &one);
}

static void buckets(void **state)
{
	(void)state;
	for (uint32_t i = 0; i + 1 < LATENCY_BUCKETS; i++) {
		uint64_t start = latency_bucket_start(i), next = latency_bucket_start(i + 1);

		assert_true(next > start);
		assert_int_equal(latency_bucket(start), i);
		assert_int_equal(latency_bucket(next - 1), i);
		assert_true(next - start <= start / 32 + 1); /* 3 % */
	}
	assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
	assert_int_equal(latency_bucket(1ULL << LATENCY_MAX_BITS), LATENCY_BUCKETS - 1);
}

static void percentiles(void **state)
{
	static const struct {
		const char *sentence;
		uint64_t ns[3];
		uint64_t times[3];
		double percent;
		uint64_t from; /* the percentile is between these two */
		uint64_t to;
	} rows[] = {
		{"one sample is every percentile", {1000}, {1}, 50, 1000, 1000},
		{"small values are exact", {10, 20, 30}, {1, 1, 1}, 50, 20, 20},
		{"the half is below it", {1000, 9000}, {50, 50}, 50, 1000, 1031},
		{"one more, and it is the other", {1000, 9000}, {49, 51}, 50, 9000, 9000},
		{"p99 of a hundred leaves one out", {1000, 9000}, {99, 1}, 99, 1000, 1031},
		{"p99.9 of a hundred does not", {1000, 9000}, {99, 1}, 99.9, 9000, 9000},
		{"never above the largest", {1000, 1001}, {1, 99}, 99, 1001, 1001},
		{"what no bucket holds", {1, 1ULL << 40}, {1, 1}, 100, 1ULL << 40, 1ULL << 40},
		{"none is 0", {0}, {0}, 50, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct latency *latency = calloc(1, sizeof(*latency));
		uint64_t got;

		assert_non_null(latency);
		for (size_t j = 0; j < COUNT_OF(rows[i].ns); j++)
			add(latency, rows[i].ns[j], rows[i].times[j]);
		got = latency_percentile(latency, rows[i].percent);
		if (got < rows[i].from || got > rows[i].to)
			fail_msg("%s: %llu", rows[i].sentence, (unsigned long long)got);
		free(latency);
	}
}

static void merging(void **state)
{
	struct latency *latency = calloc(1, sizeof(*latency));

	(void)state;
	assert_non_null(latency);
	assert_true(latency_mean(latency) == 0);
	add(latency, 500, 2);
	add(latency, 0, 0); /* a CPU that saw nothing does not make the minimum 0 */
	add(latency, 200, 2);
	assert_int_equal(latency->minimum, 200);
	assert_int_equal(latency->maximum, 500);
	assert_int_equal(latency->samples, 4);
	assert_true(latency_mean(latency) == 350);
	free(latency);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets),
		cmocka_unit_test(percentiles),
		cmocka_unit_test(merging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
