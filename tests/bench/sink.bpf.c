// SPDX-License-Identifier: GPL-2.0-only
/* The bench's far side: counts and drops. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bench.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sink_count);
} sink_counts SEC(".maps");

SEC("xdp")
int bench_sink(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct sink_count *count = bpf_map_lookup_elem(&sink_counts, &zero);

	if (!count)
		return XDP_ABORTED;
	count->packets++;
	count->bytes += (void *)(long)ctx->data_end - (void *)(long)ctx->data;
	if (!count->first)
		count->first = bpf_ktime_get_ns();
	return XDP_DROP;
}

/* Ends the chain at the appliance; measures what an empty program costs. */
SEC("xdp")
int bench_empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}
