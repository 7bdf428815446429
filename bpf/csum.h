/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Incremental update of Internet checksums, RFC 1624 equation 3: HC' = ~(~HC + ~m + m').
 * A delta is the not yet folded sum of ~m + m' over everything that changed; deltas add up. Words of 32 bits
 * add up to the same as their halves: 65536 is 1 in the arithmetic of such sums (RFC 1071, section 2).
 */
#ifndef CSUM_H
#define CSUM_H

#include <linux/types.h>

typedef __u64 csum_delta; /* less than 2^40 */

static __always_inline csum_delta csum_change16(__be16 from, __be16 to)
{
	return (__u16)~from + to;
}

static __always_inline csum_delta csum_change32(__be32 from, __be32 to)
{
	return (__u64)(__u32)~from + to;
}

static __always_inline __sum16 csum_update(__sum16 checksum, csum_delta delta)
{
	__u64 sum = (__u16)~checksum + delta;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (__sum16)~sum;
}

#endif
