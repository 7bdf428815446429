/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The usual packet's way, in one piece: UDP or TCP over IPv4, whole and without options, in a tunnel over IPv4 without
 * options or VLAN tags, that a rule matches and whose next hop is known, and that leaves in one piece or is cut here. One
 * check of the bounds serves all headers but TCP's, which is longer than UDP's. A packet that is not usual is left as it
 * came, uncounted, and takes the stages from the beginning: nothing is written before it is certain. A usual packet that
 * may not be sent, since its source is denied, or since no rule matches and such packets are dropped, is dropped here, too.
 * The functions that know `plain` and `long_one` are there once for each value of these: see usual_way().
 */
#ifndef USUAL_H
#define USUAL_H

#include "account.h"
#include "forward.h"
#include "tunnel.h"
#include "usual_frame.h"
#include "usual_rule.h"

/*
 * Is the way to the rule's target known? `plain`: it is in only_hop. They are fresh. `mtu`: the largest IP packet that it
 * takes, in bytes.
 */
static __always_inline bool usual_next_hop(const struct usual *usual,
					   const volatile struct nat4_target *target, bool plain,
					   struct known_hop *known, __u32 *mtu)
{
	const volatile struct next_hop *hop = &only_hop;
	__u32 index;

	*mtu = 0xffff;
	if (!CHOSEN_BY(usual->length, ROUTED))
		return true;
	if (!plain && !CHOSEN_BY(usual->length, ONE_HOP)) {
		index = target->next_hop;
		hop = bpf_map_lookup_elem(&next_hops, &index);
		if (!hop)
			return false;
	}
	next_hop_read(hop, known);
	/* the state is above the path MTU: one comparison for both */
	*mtu = (known->word[1] >> NEXT_HOP_MTU_SHIFT) -
	       (NEXT_HOP_RESOLVED << (NEXT_HOP_STATE_SHIFT - NEXT_HOP_MTU_SHIFT));
	return *mtu <= 0xffff;
}

/* Into how many fragments a packet that is too long for forward.mtu is cut here; 0: that is for the stages. */
static __always_inline __u32 usual_pieces(const struct usual *usual, const void *frame,
					  __u32 ip_length, __u32 mtu)
{
	bool df = frame_u8(frame + USUAL_IP + 6) & IPV4_DF >> 8;

	/* what is behind the packet would be behind its last fragment */
	if (ip_length != usual->length - USUAL_IP ||
	    (df && config.clear_df_above == CLEAR_DF_NEVER))
		return 0;
	return fragments_of(ip_length - sizeof(struct iphdr), mtu);
}

static __always_inline void usual_set_ethernet(const struct usual *usual, void *frame,
					       const struct known_hop *known)
{
	__u16 *halves = frame + USUAL_ETHERNET;

	if (CHOSEN_BY(usual->length, ROUTED)) {
		*(__u64 *)(frame + USUAL_ETHERNET) = known->word[0];
		*(__u32 *)(frame + USUAL_ETHERNET + 8) = known->word[1];
	} else if (config.next_hop == NEXT_HOP_MAC) {
		constant_mac(config.next_hop_mac, halves);
		constant_mac(config.egress_mac, halves + 3);
	}
}

/* Gives the packet, UDP or else TCP, its new destination. */
static __always_inline void usual_rewrite(const struct usual *usual, void *frame,
					  const volatile struct nat4_target *target, bool udp)
{
	void *transport = frame + USUAL_TRANSPORT;
	csum_delta delta = ipv4_set_destination(frame + USUAL_IP, target->address);

	if (!udp)
		tcp_set_destination(transport, target->port, delta);
	else if (CHOSEN_BY(usual->length, UDP_UPDATE))
		udp_set_destination(transport, target->port, delta, 4, UDP_CHECKSUM_UPDATE);
	else
		udp_set_destination(transport, target->port, delta, 4, config.udp_checksum);
}

/* As clear_df(), of a packet longer than `above` bytes. */
static __always_inline void usual_clear_df(const struct usual *usual, void *frame, __u32 ip_length,
					   __u64 above)
{
	struct iphdr *ip = frame + USUAL_IP;
	__u32 events;

	if (ip_length <= above || !(ip->frag_off & bpf_htons(IPV4_DF)))
		return;
	events = df_take_out(ip, usual->count, true);
	if (CHOSEN_SELDOM(usual->length, TRACE))
		trace.events |= events;
}

static __always_inline void usual_count_size(const struct usual *usual)
{
	if (CHOSEN_BY(usual->length, HISTOGRAMS))
		size_count_short(&usual->count->histograms, usual->length);
}

static __always_inline int usual_end(const struct usual *usual, enum verdict verdict, int action)
{
	hits_add(&usual->count->verdict[verdict], usual->length);
	if (CHOSEN_SELDOM(usual->length, TRACE))
		trace.verdict = verdict;
	return action;
}

static __always_inline int usual_drop(const struct usual *usual, enum verdict verdict)
{
	if (usual->of_vni)
		hits_add(usual->of_vni, usual->length);
	usual_count_size(usual);
	return usual_end(usual, verdict, XDP_DROP);
}

/* What is counted of a packet that was re-addressed. */
static __always_inline void usual_count(const struct usual *usual, bool plain)
{
	if (plain)
		hits_add(usual->of_only, usual->length);
	else
		rule_hits_add(usual->of_rule, usual->length);
	usual->count->event[EVENT_NAT_APPLIED]++;
	if (CHOSEN_SELDOM(usual->length, TRACE))
		trace.events |= 1U << EVENT_NAT_APPLIED;
	if (!plain && !CHOSEN_BY(usual->length, ONE_VNI) && usual->of_vni)
		hits_add(usual->of_vni, usual->length);
	usual_count_size(usual);
}

/* Strips the tunnel, and sends the packet: the action. */
static __always_inline int usual_send(struct xdp_md *ctx, const struct usual *usual)
{
	__u64 entry = EGRESS_WHOLE;
	int action;

	if (unlikely(bpf_xdp_adjust_head(ctx, USUAL_ETHERNET)))
		return usual_end(usual, VERDICT_ERROR, XDP_ABORTED);
	if (CHOSEN_SELDOM(usual->length, TRANSMIT))
		return usual_end(usual, VERDICT_TRANSMITTED, XDP_TX);
	if (CHOSEN_BY(usual->length, LONGEST_CUT))
		entry = egress_entry(usual->count, CONSTANT(TRIMMING));
	action = bpf_redirect_map(&egress, entry, XDP_ABORTED);
	if (unlikely(action == XDP_ABORTED))
		return usual_end(usual, VERDICT_ERROR, XDP_ABORTED);
	if (CHOSEN_SELDOM(usual->length, SINGLE_ARM))
		return usual_end(usual, VERDICT_TRANSMITTED, action);
	return usual_end(usual, VERDICT_REDIRECTED, action);
}

/* The same in `pieces`. */
static __always_inline int usual_send_cut(struct xdp_md *ctx, const struct usual *usual,
					  __u32 pieces, __u32 mtu)
{
	int action;

	if (bpf_xdp_adjust_head(ctx, USUAL_ETHERNET - (int)sizeof(struct fragment_shim)) ||
	    !fragment_mark(ctx, usual->count, mtu, pieces))
		return usual_end(usual, VERDICT_ERROR, XDP_ABORTED);
	action = fragment_send(usual->count, CONSTANT(TRIMMING), pieces,
			       CHOSEN_SELDOM(usual->length, TRACE));
	if (action == XDP_ABORTED)
		return usual_end(usual, VERDICT_ERROR, XDP_ABORTED);
	usual->count->fragments += pieces;
	return usual_end(usual, VERDICT_FRAGMENTED, action);
}

/* May who sent it? Before anything of the VXLAN header is looked at, as in tunnel_open(). */
static __always_inline bool usual_source(const struct usual *usual, const void *frame)
{
	return !CHOSEN_SELDOM(usual->length, CHECK_SOURCES) ||
	       source_is_let_in(frame_u32(frame + USUAL_IP_OUTER + 12));
}

/*
 * Is it of a VNI that is listed? `plain`: of the one. What is noted for `explain` is forgotten again if the packet takes
 * the stages.
 */
static __always_inline bool usual_vni(const void *frame, struct usual *usual, bool plain)
{
	__u64 vxlan = frame_u64(frame + USUAL_VXLAN);
	__u32 vni;

	if ((vxlan & CONSTANT(VXLAN_MASK)) != CONSTANT(VXLAN))
		return false;
	if (CHOSEN_SELDOM(usual->length, TRACE)) {
		trace.vni = bpf_ntohl(vxlan >> 32) >> 8;
		trace.inner_offset = USUAL_ETHERNET;
	}
	if (plain)
		return true;
	vni = bpf_ntohl(vxlan >> 32) >> 8;
	usual->vni = (__u64)vni << NAT_VNI_SHIFT;
	if (CHOSEN_BY(usual->length, ONE_VNI))
		return true;
	usual->of_vni = vni_hits_of(vni);
	return usual->of_vni;
}

static __always_inline int usual_unmatched(struct usual *usual)
{
	/* no rule counts it for the one VNI */
	if (CHOSEN_BY(usual->length, ONE_VNI))
		usual->of_vni = vni_counter(0);
	return usual_drop(usual, VERDICT_UNMATCHED);
}

/* From the inner IP header on. False, and nothing is written: it is not usual. `long_one`: to be cut. */
static __always_inline bool usual_inner_way(struct xdp_md *ctx, void *frame, struct usual *usual,
					    bool udp, bool plain, bool long_one, int *action)
{
	const volatile struct nat4_target *target;
	struct known_hop known = {};
	__u32 ip_length, mtu, pieces;

	if (unlikely(!usual_inner(frame, usual->length, udp, &ip_length)))
		return false;
	target = plain ? usual_only_rule(usual, frame, udp) : usual_rule(frame, usual, udp);
	if (unlikely(!target)) {
		if (!CHOSEN_BY(usual->length, DROP_UNMATCHED))
			return false;
		*action = usual_unmatched(usual);
		return true;
	}
	if (unlikely(!usual_next_hop(usual, target, plain, &known, &mtu)))
		return false;
	if (long_one) {
		mtu = mtu < config.mtu ? mtu : config.mtu;
		pieces = usual_pieces(usual, frame, ip_length, mtu);
		if (!pieces)
			return false;
	} else if (unlikely(ip_length > mtu)) {
		return false;
	}
	/* the addresses first: or they are kept on the stack meanwhile */
	usual_set_ethernet(usual, frame, &known);
	usual_rewrite(usual, frame, target, udp);
	usual_clear_df(usual, frame, ip_length, long_one ? 0 : CONSTANT(CLEAR_DF_ABOVE));
	usual_count(usual, plain);
	*action = long_one ? usual_send_cut(ctx, usual, pieces, mtu) : usual_send(ctx, usual);
	return true;
}

/* Is the frame in one buffer? */
static __always_inline bool usual_buffer(struct xdp_md *ctx, __u64 length, bool plain)
{
	return plain || !CHOSEN_SELDOM(length, CHECK_BUFFERS) ||
	       bpf_xdp_get_buff_len(ctx) == length;
}

/* The way of a frame that is not too long, or, `long_one`, too long to leave in one piece. False: it is not usual. */
static __always_inline bool usual_frame_way(struct xdp_md *ctx, void *frame, const void *end,
					    struct usual *usual, bool plain, bool long_one,
					    int *action)
{
	__u8 protocol;

	if (unlikely(!usual_buffer(ctx, usual->length, plain) ||
		     !usual_outer(frame, usual->length)))
		return false;
	if (unlikely(!plain && !usual_source(usual, frame))) {
		*action = usual_drop(usual, VERDICT_SOURCE_DENIED);
		return true;
	}
	if (unlikely(!usual_vni(frame, usual, plain)))
		return false;
	protocol = frame_u8(frame + USUAL_IP + 9);
	if (protocol == IPPROTO_UDP)
		return usual_inner_way(ctx, frame, usual, true, plain, long_one, action);
	return protocol == IPPROTO_TCP && frame + USUAL_TRANSPORT + sizeof(struct tcphdr) <= end &&
	       usual_inner_way(ctx, frame, usual, false, plain, long_one, action);
}

/*
 * The way of a usual packet, or that of any other: the action. `plain`: there is one IPv4 rule and one VNI, every source may
 * send, and a frame is in one buffer. That needs none of the calls between which values have to be kept on the stack. The kernel
 * leaves in the program the one that is configured.
 */
static __always_inline int usual_way(struct xdp_md *ctx, struct counters *count, bool plain)
{
	struct usual usual = {.count = count};
	void *frame, *end;
	int action;
	__u32 cpu;

	/* no length is known yet, and any number will do */
	if (CHOSEN_BY(0, ROUTED) && unlikely(!next_hops_are_fresh()))
		return stages(ctx);
	if (plain) {
		cpu = bpf_get_smp_processor_id();
		if (unlikely(cpu >= ONLY_CPUS))
			return stages(ctx);
		usual.of_only = &only_hits[cpu].hits;
		/* or the compiler computes it twice */
		asm volatile("" : "+r"(usual.of_only));
	}
	frame = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	usual.length = bytes_between(frame, end);
	if (unlikely(frame + USUAL_TRANSPORT + sizeof(struct udphdr) > end))
		return stages(ctx);
	if (likely(usual.length <= CONSTANT(LONGEST_FRAME))) {
		if (likely(usual_frame_way(ctx, frame, end, &usual, plain, false, &action)))
			return action;
	} else if (usual.length <= CONSTANT(LONGEST_CUT)) {
		if (CHOSEN_BY(usual.length, LONGEST_CUT) &&
		    usual_frame_way(ctx, frame, end, &usual, plain, true, &action))
			return action;
	}
	return stages(ctx);
}

#endif
