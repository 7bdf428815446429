// SPDX-License-Identifier: GPL-2.0-only
/*
 * The datapath. A frame on listen.interface is tried as a usual one, which nearly all are (usual.h). If it is not, it passes
 * the stages in order until one of them decides:
 *
 *   tunnel_open   outer headers, source, VXLAN header, VNI
 *   inner_parse   inner Ethernet and IP headers
 *   nat_apply     rule lookup, new destination
 *   forward       DF, size, next hop
 *
 * and leaves by its verdict, which is counted.
 */
#include "packet.h"
#include "parse.h"
#include "tunnel.h"
#include "inner.h"
#include "nat.h"
#include "kernel.h"
#include "forward.h"
#include "account.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline enum verdict judge(struct packet *packet)
{
	struct cursor cursor = cursor_start(packet->ctx);
	enum verdict verdict;

	packet->start = cursor.at;
	packet->end = cursor.end;
	packet->mtu = config.mtu;
	packet->length = bytes_between(cursor.at, cursor.end);
	if (config.buffers != BUFFERS_ONE)
		packet->length = bpf_xdp_get_buff_len(packet->ctx);
	if (config.trace)
		trace.scattered = packet_is_scattered(packet);
	packet->ethernet = packet->ip = packet->transport = cursor.at;

	verdict = tunnel_open(packet, &cursor);
	if (verdict != VERDICT_GO_ON)
		return verdict;
	cursor.at = packet_forget_path(packet, cursor.at);
	verdict = inner_parse(packet, &cursor);
	if (verdict != VERDICT_GO_ON)
		return verdict;
	packet->transport = packet_forget_path(packet, packet->transport);
	packet_forget_numbers(packet);
	verdict = nat_apply(packet);
	if (verdict != VERDICT_GO_ON)
		return verdict;
	return forward(packet);
}

static __always_inline bool leaves_decapsulated(enum verdict verdict)
{
	return verdict == VERDICT_REDIRECTED || verdict == VERDICT_TRANSMITTED ||
	       verdict == VERDICT_FRAGMENTED || verdict == VERDICT_PASSED;
}

/* A function of its own, so that its stack is not the usual way's; not static, so that the verifier checks it once. */
__attribute__((noinline)) int stages(struct xdp_md *ctx)
{
	struct packet packet = {.ctx = ctx};
	enum verdict verdict;
	__u32 zero = 0;
	int action;

	packet.counters = bpf_map_lookup_elem(&counters, &zero);
	if (!packet.counters)
		return XDP_ABORTED;
	if (config.trace)
		trace_begin();

	verdict = judge(&packet);
	if (verdict == VERDICT_PASSED)
		verdict = pass_to_kernel(&packet);
	if (leaves_decapsulated(verdict) && !decapsulate(&packet))
		verdict = VERDICT_ERROR;
	action = carry_out(packet.counters, packet.fragments, verdict);
	/* a redirect that does not come about */
	if (action == XDP_ABORTED)
		verdict = VERDICT_ERROR;

	/* in this order: who reads meanwhile must not see more bytes sent than there were */
	if (leaves_decapsulated(verdict))
		sent_count(&packet, verdict);
	vni_count(&packet);
	hits_add(&packet.counters->verdict[verdict], packet.length);
	if (config.histograms)
		size_count(&packet.counters->histograms, packet.length);
	if (config.trace)
		trace.verdict = verdict;
	return action;
}

#include "usual.h"

SEC("xdp")
int vxlan_pipeline(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct counters *count = bpf_map_lookup_elem(&counters, &zero);
	int action;

	if (!count)
		return XDP_ABORTED;
	if (CHOSEN(HISTOGRAMS))
		time_begin(&count->histograms);
	if (!CHOSEN(USUAL))
		action = stages(ctx);
	else if (CHOSEN(PLAIN))
		action = usual_way(ctx, count, true);
	else
		action = usual_way(ctx, count, false);
	if (CHOSEN(HISTOGRAMS))
		time_end(&count->histograms);
	return action;
}

/* Runs on the threads of map `cutters`. */
SEC("xdp/cpumap")
int vxlan_pipeline_cut(struct xdp_md *ctx)
{
	return fragment_send_first(ctx);
}

/* Runs on frames out of forward.interface, while some of them have to be fragmented. */
SEC("xdp/devmap")
int vxlan_pipeline_fragment(struct xdp_md *ctx)
{
	return fragment_trim(ctx);
}

/* The same for `explain`: programs of the kind above cannot be run by hand. */
SEC("xdp")
int vxlan_pipeline_explain(struct xdp_md *ctx)
{
	return fragment_trim(ctx);
}

/*
 * The daemon's sign of life, run by hand. No XDP program: to run one, kernels before 5.18 enter it in the
 * code that all XDP programs are called by, and take it out again, which other CPUs may be executing.
 */
SEC("socket")
int vxlan_pipeline_beat(struct __sk_buff *ctx)
{
	(void)ctx;
	heartbeat.trusted_until = bpf_jiffies64() + HEARTBEAT_LIFETIME;
	heartbeat.beaten_at = bpf_ktime_get_ns();
	return 0;
}

/* For forward.interface: many drivers send redirected frames only while they have a program. */
SEC("xdp")
int vxlan_pipeline_egress(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
