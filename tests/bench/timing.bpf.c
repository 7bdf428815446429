// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures the run time of another XDP program, packet by packet. Not every kernel can trace
 * functions, so timing_begin() notes the time and calls the program by a tail call, and the
 * tracepoint of a successful redirect notes the time again. The result includes the redirect's
 * enqueueing. The cost of reading the clock is reported, too.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bench.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timing);
} timings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} timed SEC(".maps");

SEC("xdp")
int timing_begin(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct timing *timing = bpf_map_lookup_elem(&timings, &zero);

	if (timing) {
		__u64 before = bpf_ktime_get_ns(), after = bpf_ktime_get_ns();

		if (!timing->clock || after - before < timing->clock)
			timing->clock = after - before;
		timing->started = after;
	}
	bpf_tail_call(ctx, &timed, 0);
	return XDP_ABORTED;
}

SEC("raw_tp/xdp_redirect")
int timing_end(void *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0, bucket;
	struct timing *timing = bpf_map_lookup_elem(&timings, &zero);

	(void)ctx;
	if (!timing || !timing->started)
		return 0;
	bucket = latency_bucket(now - timing->started);
	if (bucket < LATENCY_BUCKETS)
		timing->bucket[bucket]++;
	timing->started = 0;
	return 0;
}
