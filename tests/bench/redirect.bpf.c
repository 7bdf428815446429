// SPDX-License-Identifier: GPL-2.0-only
/* The peer that all others are compared with: a redirect and nothing else. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} redirect_to SEC(".maps");

SEC("xdp")
int bench_redirect(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&redirect_to, 0, XDP_ABORTED);
}

SEC("xdp")
int bench_reflect(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

/* For the egress interface: many drivers send redirected frames only while they have a program. */
SEC("xdp")
int bench_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
