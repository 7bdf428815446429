// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bench's generator: sends at the least cost. The kernel reuses frames whose headers a receiver
 * has changed, so the generator writes the headers again, and does nothing else to a frame.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct source_config config;

struct {
	__u32 flow;
	__u32 vni;
	__u64 sent;
} state;

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} egress SEC(".maps");

static __always_inline __u32 step(__u32 at, __u32 stride, __u32 count)
{
	at += stride;
	return at >= count ? at - count : at;
}

static __always_inline void next_flow(void *frame)
{
	__u32 source = config.source + (state.flow & config.flow_mask);
	__u32 sum = config.ip_sum + (source >> 16) + (source & 0xffff);

	state.flow = step(state.flow, config.flow_stride, config.flows);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*(__be16 *)(frame + BENCH_IP_CHECK) = bpf_htons((__u16)~sum);
	*(__be32 *)(frame + BENCH_IP_SOURCE) = bpf_htonl(source);
}

static __always_inline void next_vni(void *frame)
{
	*(__be32 *)(frame + BENCH_VNI) =
		bpf_htonl((config.vni + (state.vni & config.vni_mask)) << 8);
	state.vni = step(state.vni, config.vni_stride, config.vnis);
}

SEC("xdp")
int bench_source(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	__u64 *words = frame;

	if (frame + BENCH_HEAD_WORDS * sizeof(__u64) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (int i = 0; i < BENCH_HEAD_WORDS; i++)
		words[i] = config.head[i];
	if (config.flows > 1)
		next_flow(frame);
	if (config.vnis > 1)
		next_vni(frame);
	state.sent++;
	return bpf_redirect_map(&egress, 0, XDP_ABORTED);
}
