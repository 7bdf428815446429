/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The usual packet's way, in one piece: UDP or TCP over IPv4, whole and without options, in a tunnel over IPv4 without
 * options or VLAN tags, that a rule matches and whose next hop is known, and that leaves in one piece. One check of the
 * bounds serves all headers but TCP's, which is longer than UDP's, and words hold several fields. A packet that is not
 * usual is left as it came, uncounted, and takes the stages from the beginning: nothing is written before it is certain.
 * A usual packet that may not be sent, since its source is denied, or since no rule matches and such packets are dropped,
 * is dropped here, too.
 */
#ifndef USUAL_H
#define USUAL_H

#include "account.h"
#include "constants.h"
#include "forward.h"
#include "nat.h"
#include "tunnel.h"

#define NOT_USUAL (-1)

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
	__u64 length;
	__u32 vni;    /* VNI_NONE: did not get that far */
	__u32 events; /* that were counted: a bit 1 << EVENT_x each, for `explain` */
};

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
	return (__u16)(word >> 16) == (__u16)CONSTANT(PORT) &&
	       length_in(word) == length - USUAL_UDP_OUTER;
}

/* The inner packet's length in bytes, if it is whole, and UDP or TCP over plain IPv4; else 0. */
static __always_inline __u32 usual_inner(const void *frame, __u64 length)
{
	__u64 word = frame_u64(frame + USUAL_IP - 2);
	__u32 ip_length = length_in(word), least;

	if (!is_plain_ipv4(word))
		return 0;
	word = frame_u32(frame + USUAL_IP + 6);
	/* whole: DF and the reserved bit may be anything */
	if (word & bpf_htonl(0x3fff0000))
		return 0;
	switch (word >> 24) {
	case IPPROTO_UDP:
		least = sizeof(struct iphdr) + sizeof(struct udphdr);
		break;
	case IPPROTO_TCP:
		least = sizeof(struct iphdr) + sizeof(struct tcphdr);
		break;
	default:
		return 0;
	}
	return ip_length < least || ip_length > length - USUAL_IP ? 0 : ip_length;
}

/* Where a key is in the table of rules that have all one shape, if it is there. */
static __always_inline __u32 usual_look_up(const struct nat4_key *masked)
{
	struct table table = {.seed = CONSTANT(TABLE_SEED),
			      .bucket_mask = CONSTANT(TABLE_BUCKET_MASK),
			      .slots = CONSTANT(TABLE_SLOTS)};

	return table_find(&table, &nat4_displacements,
			  table_mix(table_mix(table.seed, masked->word[0]), masked->word[1]));
}

/* The target of the rule with a counter, if the rule's folded key is this. */
static __always_inline const volatile struct nat4_target *
usual_folded(const struct nat4_key *masked, __u32 counter)
{
	const struct rule_counter *hits = rule_hits_of(counter, CONSTANT(COUNTERS_PER_CPU));
	__u32 index;

	if (!hits || hits->key != nat4_fold(masked, CONSTANT(FOLD_LOWER), CONSTANT(FOLD_UPPER)))
		return NULL;
	/* need not wait until memory says which */
	if (CONSTANT(ONE_TARGET))
		return &config.nat4_only.target;
	index = hits->packets & ((1U << RULE_TARGET_BITS) - 1);
	return bpf_map_lookup_elem(&nat4_targets, &index);
}

/*
 * The target of the rule that matches, and a CPU's counter of the rule; NULL: none does. With one shape the number of the
 * shape, which keys in the tables have, is 0. A place may be NO_SLOT: nothing is found there.
 */
static __always_inline const volatile struct nat4_target *usual_rule(const struct nat4_key *key,
								     __u32 *counter)
{
	const struct nat4_key masked = {
		{key->word[0] & CONSTANT(SHAPE_MASK0), key->word[1] & CONSTANT(SHAPE_MASK1)}};
	const struct nat4_slot *slot;
	__u32 place;

	*counter = CONSTANT(FIRST_COUNTER);
	if (CONSTANT(ONE_RULE))
		return masked.word[0] == CONSTANT(RULE_KEY0) &&
				       masked.word[1] == CONSTANT(RULE_KEY1)
			       ? &config.nat4_only.target
			       : NULL;
	place = CONSTANT(ONE_SHAPE) ? usual_look_up(&masked)
				    : nat4_find(key->word[0], key->word[1]);
	*counter += place;
	if (CONSTANT(FOLD_LOWER))
		return usual_folded(&masked, *counter);
	slot = bpf_map_lookup_elem(&nat4_slots, &place);
	if (!slot || !slot->rule)
		return NULL;
	/* nat4_find() has compared; here, as there, `|` for one branch instead of two */
	if (CONSTANT(ONE_SHAPE) &&
	    (masked.word[0] ^ slot->key.word[0]) | (masked.word[1] ^ slot->key.word[1]))
		return NULL;
	return &slot->target;
}

/* Is the way to the rule's target known, and does it take the packet whole? */
static __always_inline bool usual_next_hop(__u32 index, __u32 ip_length, struct known_hop *known)
{
	struct next_hop *hop;

	if (CONSTANT(NEXT_HOP) != NEXT_HOP_ROUTE)
		return true;
	hop = bpf_map_lookup_elem(&next_hops, &index);
	if (!hop)
		return false;
	next_hop_read(hop, known);
	return known->state == NEXT_HOP_RESOLVED && next_hops_are_fresh() &&
	       ip_length <= (__u16)(known->word[1] >> NEXT_HOP_MTU_SHIFT);
}

static __always_inline void usual_set_ethernet(void *frame, const struct known_hop *known)
{
	__u16 *halves = frame + USUAL_ETHERNET;

	if (CONSTANT(NEXT_HOP) == NEXT_HOP_ROUTE) {
		write_addresses(frame + USUAL_ETHERNET, known->word);
	} else if (CONSTANT(NEXT_HOP) == NEXT_HOP_MAC) {
		constant_mac(config.next_hop_mac, halves);
		constant_mac(config.egress_mac, halves + 3);
	}
}

/* Gives the packet its new destination; false, and nothing is written: it is not there whole. */
static __always_inline bool usual_rewrite(void *frame, const void *end,
					  const volatile struct nat4_target *target)
{
	struct iphdr *ip = frame + USUAL_IP;
	csum_delta delta = csum_change32(ip->daddr, target->address);

	if (ip->protocol == IPPROTO_UDP) {
		udp_set_destination(frame + USUAL_TRANSPORT, target->port, delta, 4,
				    CONSTANT(UDP_CHECKSUM));
	} else {
		if (frame + USUAL_TRANSPORT + sizeof(struct tcphdr) > end)
			return false;
		tcp_set_destination(frame + USUAL_TRANSPORT, target->port, delta);
	}
	ipv4_set_destination(ip, target->address);
	return true;
}

/* As clear_df(): the way takes the packet whole, so only the configured length counts. */
static __always_inline void usual_clear_df(void *frame, __u32 ip_length, struct usual *usual)
{
	struct iphdr *ip = frame + USUAL_IP;

	if (ip_length > CONSTANT(CLEAR_DF_ABOVE) && ip->frag_off & bpf_htons(IPV4_DF))
		usual->events |= df_take_out(ip, usual->count, true);
}

static __always_inline void usual_trace(const struct usual *usual, enum verdict verdict, __u32 rule)
{
	__u32 zero = 0;
	struct trace *trace = bpf_map_lookup_elem(&traces, &zero);

	if (!trace)
		return;
	*trace = (struct trace){
		.verdict = verdict,
		.events = usual->events,
		.rule = rule,
		.vni = usual->vni,
		.inner_offset = usual->vni == VNI_NONE ? 0 : USUAL_ETHERNET,
	};
}

static __always_inline void usual_count(const struct usual *usual, enum verdict verdict, __u32 rule)
{
	if (usual->of_vni)
		hits_add(usual->of_vni, usual->length);
	hits_add(&usual->count->verdict[verdict], usual->length);
	if (CONSTANT(HISTOGRAMS))
		size_count(&usual->count->histograms, usual->length);
	if (CONSTANT(TRACE))
		usual_trace(usual, verdict, rule);
}

static __always_inline int usual_drop(const struct usual *usual, enum verdict verdict)
{
	usual_count(usual, verdict, 0);
	return XDP_DROP;
}

/* The number of the rule with a counter, for `explain`. */
static __always_inline __u32 usual_number(__u32 counter)
{
	__u32 place = counter - CONSTANT(FIRST_COUNTER);
	const struct nat4_slot *slot;

	if (CONSTANT(ONE_RULE))
		return config.nat4_only.rule;
	slot = bpf_map_lookup_elem(&nat4_slots, &place);
	return slot ? slot->rule : 0;
}

/* Strips the tunnel, sends the packet, and counts it, `counter` for its rule: the action. */
static __always_inline int usual_send(struct xdp_md *ctx, struct usual *usual, __u32 counter)
{
	enum verdict verdict = CONSTANT(SINGLE_ARM) ? VERDICT_TRANSMITTED : VERDICT_REDIRECTED;
	struct rule_counter *hits = rule_hits_of(counter, CONSTANT(COUNTERS_PER_CPU));
	int action = XDP_ABORTED;

	if (hits)
		rule_hits_add(hits, usual->length);
	usual->count->event[EVENT_NAT_APPLIED]++;
	usual->events |= 1U << EVENT_NAT_APPLIED;
	if (bpf_xdp_adjust_head(ctx, USUAL_ETHERNET) == 0)
		action = carry_out(0, verdict);
	usual_count(usual, action == XDP_ABORTED ? VERDICT_ERROR : verdict,
		    CONSTANT(TRACE) ? usual_number(counter) : 0);
	return action;
}

/* May who sent it? Before anything of the VXLAN header is looked at, as in tunnel_open(). */
static __always_inline bool usual_source(const void *frame)
{
	return !CONSTANT(CHECK_SOURCES) || source_is_let_in(frame_u32(frame + USUAL_IP_OUTER + 12));
}

/* Is it of a VNI that is listed? */
static __always_inline bool usual_vni(const void *frame, struct usual *usual)
{
	__u64 vxlan = frame_u64(frame + USUAL_VXLAN);

	if ((vxlan & CONSTANT(VXLAN_MASK)) != CONSTANT(VXLAN))
		return false;
	usual->vni = bpf_ntohl(vxlan >> 32) >> 8;
	if (CONSTANT(ONE_VNI))
		return true;
	usual->of_vni = vni_hits_of(usual->vni);
	return usual->of_vni;
}

static __always_inline int usual_way(struct xdp_md *ctx, struct counters *count)
{
	void *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct usual usual = {.count = count, .length = bytes_between(frame, end), .vni = VNI_NONE};
	const volatile struct nat4_target *target;
	struct known_hop known = {};
	struct nat4_key key;
	__u32 ip_length, counter;

	/* the packet with the padding behind it has to leave in one piece */
	if (!CONSTANT(USUAL) || frame + USUAL_TRANSPORT + sizeof(struct udphdr) > end ||
	    usual.length > USUAL_IP + CONSTANT(LONGEST) ||
	    (CONSTANT(CHECK_BUFFERS) && bpf_xdp_get_buff_len(ctx) != usual.length) ||
	    !usual_outer(frame, usual.length))
		return NOT_USUAL;
	if (!usual_source(frame))
		return usual_drop(&usual, VERDICT_SOURCE_DENIED);
	if (!usual_vni(frame, &usual))
		return NOT_USUAL;
	ip_length = usual_inner(frame, usual.length);
	if (!ip_length)
		return NOT_USUAL;

	key.word[0] = frame_u64(frame + USUAL_IP + 12);
	key.word[1] = frame_u32(frame + USUAL_TRANSPORT) |
		      nat_key_word(0, 0, usual.vni, nat_protocol(frame_u8(frame + USUAL_IP + 9)));
	target = usual_rule(&key, &counter);
	if (!target && CONSTANT(DROP_UNMATCHED)) {
		/* no rule counts it for the one VNI */
		if (CONSTANT(ONE_VNI))
			usual.of_vni = bpf_map_lookup_elem(&vni_hits, &(__u32){0});
		return usual_drop(&usual, VERDICT_UNMATCHED);
	}
	if (!target || !usual_next_hop(target->next_hop, ip_length, &known) ||
	    !usual_rewrite(frame, end, target))
		return NOT_USUAL;
	usual_clear_df(frame, ip_length, &usual);
	usual_set_ethernet(frame, &known);
	return usual_send(ctx, &usual, counter);
}

#endif
