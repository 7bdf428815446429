/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buckets of a latency histogram: a nanosecond wide up to 63 ns, from there on 32 to each power of
 * two, so that a bucket is at most 3 % wide. The last one takes everything from 67.6 s on.
 */
#ifndef LATENCY_BUCKETS_H
#define LATENCY_BUCKETS_H

#include <linux/types.h>

#define LATENCY_SUB_BITS 5
#define LATENCY_MAX_BITS 36
#define LATENCY_BUCKETS  ((LATENCY_MAX_BITS - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS)

/* BPF has no instruction for it. */
static inline __attribute__((always_inline)) __u32 latency_log2(__u64 value)
{
	__u32 result = 0;

	for (__u32 bits = 32; bits; bits >>= 1) {
		if (value >> bits) {
			value >>= bits;
			result += bits;
		}
	}
	return result;
}

static inline __attribute__((always_inline)) __u32 latency_bucket(__u64 ns)
{
	__u32 shift;

	if (ns >> LATENCY_MAX_BITS)
		return LATENCY_BUCKETS - 1;
	if (ns >> (LATENCY_SUB_BITS + 1) == 0)
		return ns;
	shift = latency_log2(ns) - LATENCY_SUB_BITS;
	return (shift << LATENCY_SUB_BITS) + (__u32)(ns >> shift);
}

/* The smallest value in a bucket. */
static inline __attribute__((always_inline)) __u64 latency_bucket_start(__u32 bucket)
{
	__u32 shift = bucket >> LATENCY_SUB_BITS;

	if (shift < 2)
		return bucket;
	shift -= 1;
	return (__u64)(bucket - (shift << LATENCY_SUB_BITS)) << shift;
}

#endif
