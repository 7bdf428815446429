// SPDX-License-Identifier: GPL-2.0-only
/* Peer: XDP decapsulates and rewrites, the kernel routes and, if it has to, fragments. */
#include <linux/bpf.h>

#include "rewrite.h"

char LICENSE[] SEC("license") = "GPL";

SEC("xdp")
int bench_decap(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u16 *outer = frame, *inner = frame + BENCH_INNER;

	if (!is_wanted(frame, end))
		return XDP_PASS;
	if (frame + BENCH_UDP + sizeof(struct udphdr) > end)
		return XDP_ABORTED;
	rewrite(frame + BENCH_IP);
	/* the kernel accepts frames to its own MAC only, which is the outer destination */
	for (int i = 0; i < 3; i++)
		inner[i] = outer[i];
	return bpf_xdp_adjust_head(ctx, BENCH_INNER) ? XDP_ABORTED : XDP_PASS;
}
