// SPDX-License-Identifier: GPL-2.0-only
/* How long another program takes, packet by packet: programs at its entry and its end. */
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

SEC("fentry/target")
int timing_begin(void *ctx)
{
	__u32 zero = 0;
	struct timing *timing = bpf_map_lookup_elem(&timings, &zero);

	(void)ctx;
	if (timing)
		timing->started = bpf_ktime_get_ns();
	return 0;
}

SEC("fexit/target")
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
	timing->runs++;
	timing->started = 0;
	return 0;
}
