// SPDX-License-Identifier: GPL-2.0-only
/*
 * The yardstick: the least that an XDP program does for exactly one rule, without generality. It
 * matches, rewrites, corrects two checksums, puts the MAC addresses of the next hop, strips the
 * tunnel and redirects. It counts nothing, and checks neither lengths, but that all headers are
 * there, nor fragments.
 */
#include <linux/bpf.h>

#include "rewrite.h"

char LICENSE[] SEC("license") = "GPL";

/* The first bytes of the frame that leaves: destination and source. */
struct least_macs {
	__u64 first;
	__u32 last;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct least_macs);
} least_macs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} least_to SEC(".maps");

SEC("xdp")
int bench_least(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 zero = 0;
	struct least_macs *macs;

	if (!is_wanted(frame, end))
		return XDP_PASS;
	if (frame + BENCH_UDP + sizeof(struct udphdr) > end)
		return XDP_ABORTED;
	macs = bpf_map_lookup_elem(&least_macs, &zero);
	if (!macs)
		return XDP_ABORTED;
	rewrite(frame + BENCH_IP);
	*(__u64 *)(frame + BENCH_INNER) = macs->first;
	*(__u32 *)(frame + BENCH_INNER + sizeof(macs->first)) = macs->last;
	if (bpf_xdp_adjust_head(ctx, BENCH_INNER))
		return XDP_ABORTED;
	return bpf_redirect_map(&least_to, 0, XDP_ABORTED);
}
