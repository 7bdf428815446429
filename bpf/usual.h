/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The usual packet's way, in one piece: UDP or TCP over IPv4, whole and without options, in a tunnel over IPv4 without
 * options or VLAN tags, that a rule matches and whose next hop is known, and that leaves in one piece. One check of the
 * bounds serves all headers but TCP's, which is longer than UDP's, and words hold several fields. A packet that is not
 * usual is left as it came, uncounted, and takes the stages from the beginning: nothing is written before it is certain.
 * A usual packet that may not be sent, since its source is denied, or since no rule matches and such packets are dropped,
 * is dropped here, too. The functions that know `plain` are there twice: see usual_way().
 */
#ifndef USUAL_H
#define USUAL_H

#include "account.h"
#include "constants.h"
#include "forward.h"
#include "nat.h"
#include "tunnel.h"

/* Where the usual frame's parts begin. */
#define USUAL_IP_OUTER  14
#define USUAL_UDP_OUTER 34
#define USUAL_VXLAN     42
#define USUAL_ETHERNET  50
#define USUAL_IP        64
#define USUAL_TRANSPORT 84

/* What is known of a usual frame. */
struct usual {
	struct counters *count;
	struct hits *of_vni; /* NULL: none yet; or there is one VNI, which the rules count */
	struct rule_counter
		*of_rule; /* this CPU's, of the rule that matches; NULL: it is the only one: */
	struct hits *of_only;
	__u64 length;
	__u64 vni; /* as in struct nat4_key, word 1 */
};

/* What the compiler is to lay out one after the other: usual packets. */
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Words of a frame. It is the host's business how they are aligned: those that have XDP take any. */
static __always_inline __u8 frame_u8(const void *at)
{
	return *(const volatile __u8 *)at;
}

static __always_inline __u32 frame_u32(const void *at)
{
	return *(const volatile __u32 *)at;
}

static __always_inline __u64 frame_u64(const void *at)
{
	return *(const volatile __u64 *)at;
}

/* The word that begins with the ethertype: IPv4, version 4, five words of header; its bytes 4-5 are the total length. */
static __always_inline bool is_plain_ipv4(__u64 word)
{
	return (word & bpf_htonl(0xffffff00)) == bpf_htonl(0x08004500);
}

/* Of such a word of IPv4; of UDP, that from the ports on. */
static __always_inline __u32 length_in(__u64 word)
{
	return bpf_ntohs((__u16)(word >> 32));
}

/* Is it a tunnel frame of ours, without anything between the headers or behind the end? */
static __always_inline bool usual_outer(const void *frame, __u64 length)
{
	__u64 word = frame_u64(frame + USUAL_IP_OUTER - 2);

	if (!is_plain_ipv4(word) || length_in(word) != (__u32)length - USUAL_IP_OUTER)
		return false;
	/* flags and offset, TTL, protocol: DF and TTL may be anything */
	if ((frame_u32(frame + USUAL_IP_OUTER + 6) & bpf_htonl(0xbfff00ff)) !=
	    bpf_htonl(IPPROTO_UDP))
		return false;
	/* ports, length, checksum */
	word = frame_u64(frame + USUAL_UDP_OUTER);
	return (__u16)(word >> 16) == CONSTANT(PORT) && length_in(word) == length - USUAL_UDP_OUTER;
}

/* Is the inner packet whole UDP, or else TCP, over plain IPv4? Its length in bytes. */
static __always_inline bool usual_inner(const void *frame, __u64 length, bool udp, __u32 *ip_length)
{
	__u32 least = sizeof(struct iphdr) + (udp ? sizeof(struct udphdr) : sizeof(struct tcphdr));
	__u64 word = frame_u64(frame + USUAL_IP - 2);

	*ip_length = length_in(word);
	/* flags and offset: DF and the reserved bit may be anything */
	return is_plain_ipv4(word) && !(frame_u32(frame + USUAL_IP + 6) & bpf_htonl(0x3fff0000)) &&
	       *ip_length >= least && *ip_length <= length - USUAL_IP;
}

/* Where a key is in the table of rules that have all one shape, if it is there. */
static __always_inline __u32 usual_look_up(const struct nat4_key *masked)
{
	__u64 hash = table_mix(table_mix(CONSTANT(TABLE_SEED), masked->word[0]), masked->word[1]);
	struct table_place place = table_place(CONSTANT(TABLE_BUCKET_MASK), hash);
	__u64 displacement = 0;

	if (CHOSEN(TABLE_BUCKET_MASK))
		displacement = table_displacement(&nat4_displacements, place.bucket);
	return table_slot(CONSTANT(TABLE_SLOTS), place, displacement);
}

/* The target of the rule that usual->of_rule counts for, if that has this folded key. */
static __always_inline const volatile struct nat4_target *
usual_folded(const struct usual *usual, const struct nat4_key *masked)
{
	__u64 key = CHOSEN(FOLD_UPPER)
			    ? nat4_fold(masked, CONSTANT(FOLD_LOWER), CONSTANT(FOLD_UPPER))
			    : nat4_fold(masked, CONSTANT(FOLD_LOWER), 0);
	__u32 index;

	if (usual->of_rule->key != key)
		return NULL;
	/* need not wait until memory says which */
	if (CHOSEN(ONE_TARGET))
		return &config.nat4_only.target;
	index = usual->of_rule->packets & ((1U << RULE_TARGET_BITS) - 1);
	return bpf_map_lookup_elem(&nat4_targets, &index);
}

/* The target of the rule in a slot, if it matches. nat4_find() has compared; here, as there, `|` for one branch. */
static __always_inline const volatile struct nat4_target *
usual_in_slot(const struct nat4_key *masked, __u32 place)
{
	const struct nat4_slot *slot = bpf_map_lookup_elem(&nat4_slots, &place);

	if (!slot || !slot->rule)
		return NULL;
	if (CHOSEN(ONE_SHAPE) &&
	    (masked->word[0] ^ slot->key.word[0]) | (masked->word[1] ^ slot->key.word[1]))
		return NULL;
	return &slot->target;
}

/* The target of the only rule, if it matches. There is one VNI, too: whether that matches is known, and so for protocols. */
static __always_inline const volatile struct nat4_target *usual_only_rule(const void *frame,
									  bool udp)
{
	if (udp ? !CHOSEN(RULE_UDP) : !CHOSEN(RULE_TCP))
		return NULL;
	if (CHOSEN(RULE_ADDRESSES) &&
	    (frame_u64(frame + USUAL_IP + 12) & CONSTANT(SHAPE_MASK0)) != CONSTANT(RULE_KEY0))
		return NULL;
	if ((frame_u32(frame + USUAL_TRANSPORT) & CONSTANT(RULE_PORTS_MASK)) !=
	    CONSTANT(RULE_PORTS))
		return NULL;
	if (CHOSEN(TRACE))
		trace.rule = config.nat4_only.rule;
	return &config.nat4_only.target;
}

/* The number of the rule in a slot, for `explain`. */
static __always_inline __u32 usual_number(__u32 place)
{
	const struct nat4_slot *slot = bpf_map_lookup_elem(&nat4_slots, &place);

	return slot ? slot->rule : 0;
}

/* As usual_rule(), where that has one rule only. */
static __always_inline const volatile struct nat4_target *
usual_one_rule(struct usual *usual, const struct nat4_key *masked)
{
	usual->of_rule = rule_hits_of(CONSTANT(FIRST_COUNTER), CONSTANT(COUNTERS_PER_CPU));
	if (!usual->of_rule || masked->word[0] != CONSTANT(RULE_KEY0) ||
	    masked->word[1] != CONSTANT(RULE_KEY1))
		return NULL;
	if (CHOSEN(TRACE))
		trace.rule = config.nat4_only.rule;
	return &config.nat4_only.target;
}

/*
 * The target of the first rule that matches, and in usual->of_rule what counts for it; NULL: none does. With one shape the
 * number of the shape, which keys in the tables have, is 0. A place may be NO_SLOT: nothing is found there.
 */
static __always_inline const volatile struct nat4_target *usual_rule(const void *frame,
								     struct usual *usual, bool udp)
{
	const __u64 protocol = udp ? NAT_PROTOCOL_UDP : NAT_PROTOCOL_TCP;
	const struct nat4_key key = {
		{frame_u64(frame + USUAL_IP + 12),
		 frame_u32(frame + USUAL_TRANSPORT) | usual->vni | protocol << NAT_PROTOCOL_SHIFT}};
	const struct nat4_key masked = {
		{key.word[0] & CONSTANT(SHAPE_MASK0), key.word[1] & CONSTANT(SHAPE_MASK1)}};
	const volatile struct nat4_target *target;
	__u32 place;

	if (CHOSEN(ONE_RULE))
		return usual_one_rule(usual, &masked);
	if (CHOSEN(ONE_SHAPE))
		place = usual_look_up(&masked);
	else
		place = nat4_find(key.word[0], key.word[1]);
	usual->of_rule = rule_hits_of(CONSTANT(FIRST_COUNTER) + place, CONSTANT(COUNTERS_PER_CPU));
	if (!usual->of_rule)
		return NULL;
	target = CHOSEN(FOLD_LOWER) ? usual_folded(usual, &masked) : usual_in_slot(&masked, place);
	if (CHOSEN(TRACE) && target)
		trace.rule = usual_number(place);
	return target;
}

/* Is the way to the rule's target known, and does it take the packet whole? `plain`: it is in only_hop. They are fresh. */
static __always_inline bool usual_next_hop(const volatile struct nat4_target *target, bool plain,
					   __u32 ip_length, struct known_hop *known)
{
	const volatile struct next_hop *hop = &only_hop;
	__u32 index, mtu;

	if (!CHOSEN(ROUTED))
		return true;
	if (!plain && !CHOSEN(ONE_HOP)) {
		index = target->next_hop;
		hop = bpf_map_lookup_elem(&next_hops, &index);
		if (!hop)
			return false;
	}
	next_hop_read(hop, known);
	/* the state is above the path MTU: two comparisons for three */
	mtu = (known->word[1] >> NEXT_HOP_MTU_SHIFT) -
	      (NEXT_HOP_RESOLVED << (NEXT_HOP_STATE_SHIFT - NEXT_HOP_MTU_SHIFT));
	return ip_length <= mtu && mtu <= 0xffff;
}

static __always_inline void usual_set_ethernet(void *frame, const struct known_hop *known)
{
	__u16 *halves = frame + USUAL_ETHERNET;

	if (CHOSEN(ROUTED)) {
		*(__u64 *)(frame + USUAL_ETHERNET) = known->word[0];
		*(__u32 *)(frame + USUAL_ETHERNET + 8) = known->word[1];
	} else if (config.next_hop == NEXT_HOP_MAC) {
		constant_mac(config.next_hop_mac, halves);
		constant_mac(config.egress_mac, halves + 3);
	}
}

/* Gives the packet, UDP or else TCP, its new destination. */
static __always_inline void usual_rewrite(void *frame, const volatile struct nat4_target *target,
					  bool udp)
{
	void *transport = frame + USUAL_TRANSPORT;
	csum_delta delta = ipv4_set_destination(frame + USUAL_IP, target->address);

	if (!udp)
		tcp_set_destination(transport, target->port, delta);
	else if (CHOSEN(UDP_UPDATE))
		udp_set_destination(transport, target->port, delta, 4, UDP_CHECKSUM_UPDATE);
	else
		udp_set_destination(transport, target->port, delta, 4, config.udp_checksum);
}

/* As clear_df(): the way takes the packet whole, so only the configured length counts. */
static __always_inline void usual_clear_df(void *frame, __u32 ip_length, struct counters *count)
{
	struct iphdr *ip = frame + USUAL_IP;
	__u32 events;

	if (ip_length <= CONSTANT(CLEAR_DF_ABOVE) || !(ip->frag_off & bpf_htons(IPV4_DF)))
		return;
	events = df_take_out(ip, count, true);
	if (CHOSEN(TRACE))
		trace.events |= events;
}

static __always_inline void usual_trace_vni(const struct usual *usual)
{
	trace.vni = usual->vni >> NAT_VNI_SHIFT;
	trace.inner_offset = USUAL_ETHERNET;
}

static __always_inline void usual_count_size(const struct usual *usual)
{
	if (CHOSEN(HISTOGRAMS))
		size_count_short(&usual->count->histograms, usual->length);
}

static __always_inline int usual_end(const struct usual *usual, enum verdict verdict, int action)
{
	hits_add(&usual->count->verdict[verdict], usual->length);
	if (CHOSEN(TRACE))
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

/* Strips the tunnel, sends the packet, and counts it: the action. */
static __always_inline int usual_send(struct xdp_md *ctx, const struct usual *usual, bool plain)
{
	int action;

	if (plain)
		hits_add(usual->of_only, usual->length);
	else
		rule_hits_add(usual->of_rule, usual->length);
	usual->count->event[EVENT_NAT_APPLIED]++;
	if (CHOSEN(TRACE)) {
		usual_trace_vni(usual);
		trace.events |= 1U << EVENT_NAT_APPLIED;
	}
	if (!CHOSEN(ONE_VNI) && usual->of_vni)
		hits_add(usual->of_vni, usual->length);
	usual_count_size(usual);
	if (bpf_xdp_adjust_head(ctx, USUAL_ETHERNET))
		return usual_end(usual, VERDICT_ERROR, XDP_ABORTED);
	if (CHOSEN(TRANSMIT))
		return usual_end(usual, VERDICT_TRANSMITTED, XDP_TX);
	action = bpf_redirect_map(&egress, 0, XDP_ABORTED);
	if (action == XDP_ABORTED)
		return usual_end(usual, VERDICT_ERROR, XDP_ABORTED);
	if (CHOSEN(SINGLE_ARM))
		return usual_end(usual, VERDICT_TRANSMITTED, action);
	return usual_end(usual, VERDICT_REDIRECTED, action);
}

/* May who sent it? Before anything of the VXLAN header is looked at, as in tunnel_open(). */
static __always_inline bool usual_source(const void *frame)
{
	return !CHOSEN(CHECK_SOURCES) || source_is_let_in(frame_u32(frame + USUAL_IP_OUTER + 12));
}

/* Is it of a VNI that is listed? `plain`: of the one. */
static __always_inline bool usual_vni(const void *frame, struct usual *usual, bool plain)
{
	__u64 vxlan = frame_u64(frame + USUAL_VXLAN);
	__u32 vni;

	if ((vxlan & CONSTANT(VXLAN_MASK)) != CONSTANT(VXLAN))
		return false;
	vni = bpf_ntohl(vxlan >> 32) >> 8;
	usual->vni = (__u64)vni << NAT_VNI_SHIFT;
	if (plain || CHOSEN(ONE_VNI))
		return true;
	usual->of_vni = vni_hits_of(vni);
	return usual->of_vni;
}

static __always_inline int usual_unmatched(struct usual *usual)
{
	if (CHOSEN(TRACE))
		usual_trace_vni(usual);
	/* no rule counts it for the one VNI */
	if (CHOSEN(ONE_VNI))
		usual->of_vni = bpf_map_lookup_elem(&vni_hits, &(__u32){0});
	return usual_drop(usual, VERDICT_UNMATCHED);
}

/* From the inner IP header on. False, and nothing is written: it is not usual. */
static __always_inline bool usual_inner_way(struct xdp_md *ctx, void *frame, struct usual *usual,
					    bool udp, bool plain, int *action)
{
	const volatile struct nat4_target *target;
	struct known_hop known = {};
	__u32 ip_length;

	if (unlikely(!usual_inner(frame, usual->length, udp, &ip_length)))
		return false;
	target = plain ? usual_only_rule(frame, udp) : usual_rule(frame, usual, udp);
	if (unlikely(!target)) {
		if (!CHOSEN(DROP_UNMATCHED))
			return false;
		*action = usual_unmatched(usual);
		return true;
	}
	if (unlikely(!usual_next_hop(target, plain, ip_length, &known)))
		return false;
	usual_rewrite(frame, target, udp);
	usual_clear_df(frame, ip_length, usual->count);
	usual_set_ethernet(frame, &known);
	*action = usual_send(ctx, usual, plain);
	return true;
}

/* Is the frame in one buffer, and does what is in it leave in one piece, with any padding behind it? */
static __always_inline bool usual_length(struct xdp_md *ctx, __u64 length, bool plain)
{
	return length <= CONSTANT(LONGEST_FRAME) &&
	       (plain || !CHOSEN(CHECK_BUFFERS) || bpf_xdp_get_buff_len(ctx) == length);
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
	bool udp;

	if (CHOSEN(ROUTED) && unlikely(!next_hops_are_fresh()))
		goto not_usual;
	if (plain) {
		cpu = bpf_get_smp_processor_id();
		if (unlikely(cpu >= ONLY_CPUS))
			goto not_usual;
		usual.of_only = &only_hits[cpu].hits;
	}
	frame = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	usual.length = bytes_between(frame, end);
	if (unlikely(frame + USUAL_TRANSPORT + sizeof(struct udphdr) > end ||
		     !usual_length(ctx, usual.length, plain) || !usual_outer(frame, usual.length)))
		goto not_usual;
	if (unlikely(!plain && !usual_source(frame)))
		return usual_drop(&usual, VERDICT_SOURCE_DENIED);
	if (unlikely(!usual_vni(frame, &usual, plain)))
		goto not_usual;
	udp = frame_u8(frame + USUAL_IP + 9) == IPPROTO_UDP;
	if (!udp && (frame_u8(frame + USUAL_IP + 9) != IPPROTO_TCP ||
		     frame + USUAL_TRANSPORT + sizeof(struct tcphdr) > end))
		goto not_usual;
	if (likely(usual_inner_way(ctx, frame, &usual, udp, plain, &action)))
		return action;
not_usual:
	return stages(ctx);
}

#endif
