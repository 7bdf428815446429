/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted of every packet: its verdict, what left, its size and, now and then, the program's time. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "packet.h"

/* 1 if the frame is longer, without a branch: sizes change from packet to packet. */
static __always_inline __u64 is_longer(__u64 length, __u64 bound)
{
	return (bound - length) >> 63;
}

static __always_inline void size_count_in(struct histograms *histograms, __u64 slot, __u64 length)
{
	__u64 bucket = config.size_bucket[slot % SIZE_SLOTS];

	/* a branch, since few frames have such a length; without the barrier the compiler makes sums of it */
	if (slot % SIZE_SLOTS == SIZE_BOUND_BETWEEN / SIZE_STEP) {
		asm volatile("");
		bucket += is_longer(length, SIZE_BOUND_BETWEEN);
	}
	histograms->size[bucket % SIZE_BUCKETS]++;
	histograms->size_sum += length;
}

static __always_inline void size_count(struct histograms *histograms, __u64 length)
{
	/* or the compiler knows how large it can be, and makes branches again */
	asm volatile("" : "+r"(length));
	/* what is too long for the slots is in the last one */
	size_count_in(histograms,
		      (length - 1) / SIZE_STEP | -is_longer(length, SIZE_STEP * SIZE_SLOTS),
		      length);
}

/* The same for a frame that is not too long for the slots. */
static __always_inline void size_count_short(struct histograms *histograms, __u64 length)
{
	size_count_in(histograms, (length - 1) / SIZE_STEP, length);
}

/*
 * The clock is kept in the map, and not in a register, so that the verifier goes through the stages once and
 * not once for packets that are timed and once for the others.
 */
static __always_inline void time_begin(struct histograms *histograms)
{
	if (histograms->until_timed--)
		return;
	histograms->begun_at = bpf_ktime_get_ns();
	histograms->until_timed = TIMED_ONE_IN / 2 + histograms->begun_at % TIMED_ONE_IN;
}

static __always_inline void time_end(struct histograms *histograms)
{
	__u64 time, bucket = 0;

	if (!histograms->begun_at)
		return;
	time = bpf_ktime_get_ns() - histograms->begun_at;
	histograms->begun_at = 0;
	for (__u32 n = 0; n < TIME_BUCKETS - 1; n++)
		bucket += is_longer(time, TIME_FIRST_NS << n);
	histograms->time[bucket % TIME_BUCKETS]++;
	histograms->time_sum += time;
}

/* For how many packets left, and bytes: together with the verdict's counters (src/observe/sent.h). */
static __always_inline void sent_count(const struct packet *packet, enum verdict verdict)
{
	if (packet->cut != USUAL_TUNNEL)
		packet->counters->cut_bytes += packet->cut - USUAL_TUNNEL;
	if (verdict == VERDICT_FRAGMENTED)
		packet->counters->fragments += packet->fragments;
}

/*
 * For the packet's VNI. Where there is one VNI, what a rule counts is of that VNI, and not counted a second time
 * (src/datapath/vnis.c adds it).
 */
static __always_inline void vni_count(const struct packet *packet)
{
	if (packet->vni_hits && !(config.vni_mode == VNI_ONE && packet->ruled))
		hits_add(packet->vni_hits, packet->length);
}

#endif
