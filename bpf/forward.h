/* SPDX-License-Identifier: GPL-2.0-only */
/* Last stage: DF, next hop, size, and the way out. */
#ifndef FORWARD_H
#define FORWARD_H

#include "csum.h"
#include "fragment.h"
#include "kernel.h"
#include "nexthop.h"

/* A fresh IPv4 ID: never 0, and the same one not before all of this CPU's were used. */
static __always_inline __be16 fresh_ip_id(struct counters *count)
{
	__u64 sequence = count->next_ip_id;
	__u16 id = sequence * config.cpus + bpf_get_smp_processor_id();

	if (!id)
		id = ++sequence * config.cpus + bpf_get_smp_processor_id();
	count->next_ip_id = sequence + 1;
	return bpf_htons(id);
}

/* Takes DF out of a header, and counts that; `whole`: it is no fragment's. The events, a bit 1 << EVENT_x each. */
static __always_inline __u32 df_take_out(struct iphdr *ip, struct counters *count, bool whole)
{
	__be16 cleared = ip->frag_off & ~bpf_htons(IPV4_DF);
	csum_delta delta = csum_change16(ip->frag_off, cleared);
	__u32 events = 1U << EVENT_DF_CLEARED;

	ip->frag_off = cleared;
	count->event[EVENT_DF_CLEARED]++;
	/* an atomic datagram's ID says nothing until it may be fragmented (RFC 6864) */
	if (!ip->id && whole) {
		__be16 id = fresh_ip_id(count);

		ip->id = id;
		delta += csum_change16(0, id);
		count->event[EVENT_ID_ASSIGNED]++;
		events |= 1U << EVENT_ID_ASSIGNED;
	}
	ip->check = csum_update(ip->check, delta);
	return events;
}

/* Lets a packet be fragmented that is longer than configured, or than its way takes. */
static __always_inline void clear_df(struct packet *packet)
{
	__u32 above = packet->mtu < config.clear_df_above ? packet->mtu : config.clear_df_above;
	struct iphdr *ip = packet->ip;
	__u32 events;

	if (config.clear_df_above == CLEAR_DF_NEVER || packet->version != 4 ||
	    !packet_holds(packet, packet->ip, sizeof(*ip)))
		return;
	if (bpf_ntohs(ip->tot_len) <= above || !(ip->frag_off & bpf_htons(IPV4_DF)))
		return;
	events = df_take_out(ip, packet->counters, packet->fragment_part == FRAGMENT_WHOLE);
	if (config.trace)
		trace.events |= events;
}

static __always_inline enum verdict forward_oversize(struct packet *packet)
{
	if (config.oversize == OVERSIZE_DROP)
		return VERDICT_OVERSIZE;
	if (config.oversize == OVERSIZE_PASS)
		return VERDICT_PASSED;
	if (!is_fragmentable(packet))
		return VERDICT_OVERSIZE;
	packet->fragments = fragment_count(packet);
	return packet->fragments ? VERDICT_FRAGMENTED : VERDICT_PASSED;
}

static __always_inline enum verdict set_ethernet(struct packet *packet)
{
	if (!packet->addresses[0])
		return VERDICT_GO_ON;
	if (!packet_holds(packet, packet->ethernet, sizeof(*packet->ethernet)))
		return VERDICT_ERROR;
	write_addresses(packet->ethernet, packet->addresses);
	return VERDICT_GO_ON;
}

static __always_inline enum verdict forward(struct packet *packet)
{
	enum verdict way = config.single_arm ? VERDICT_TRANSMITTED : VERDICT_REDIRECTED;
	enum verdict verdict = next_hop_find(packet);

	if (verdict != VERDICT_GO_ON)
		return verdict;
	clear_df(packet);
	if (packet->ip_length > packet->mtu) {
		way = forward_oversize(packet);
		if (way != VERDICT_FRAGMENTED)
			return way;
	}
	if (packet_is_scattered(packet))
		return VERDICT_PASSED;
	verdict = set_ethernet(packet);
	return verdict == VERDICT_GO_ON ? way : verdict;
}

/*
 * Bytes to cut from the frame's end: what stands behind the outer UDP datagram, and, where the
 * frame would be too long with it or is fragmented, the padding behind the inner packet.
 */
static __always_inline __u32 excess(const struct packet *packet)
{
	__u32 behind = packet->length - packet->inner_offset - packet->inner_length;
	__u32 payload = packet->inner_length - sizeof(struct ethhdr);

	if (packet->ip_length < payload &&
	    (packet->fragments || (payload > config.mtu && packet->ip_length <= config.mtu)))
		behind += payload - packet->ip_length;
	return behind;
}

/* Strips the tunnel. The packet's pointers mean nothing afterwards. */
static __always_inline bool decapsulate(struct packet *packet)
{
	__u32 cut = excess(packet), keep = 0;

	if (cut) {
		packet_event(packet, EVENT_TRAILER_CUT);
		if (bpf_xdp_adjust_tail(packet->ctx, -(int)cut))
			return false;
	}
	packet->cut = packet->inner_offset + cut;
	if (config.fragment_in_xdp && packet->fragments)
		keep = sizeof(struct fragment_shim);
	if (bpf_xdp_adjust_head(packet->ctx, (int)(packet->inner_offset - keep)))
		return false;
	return !keep ||
	       fragment_mark(packet->ctx, packet->counters, packet->mtu, packet->fragments);
}

static __always_inline int redirect(struct counters *count)
{
	__u64 entry = EGRESS_WHOLE;

	if (config.fragment_in_xdp)
		entry = egress_entry(count, TRIMMING_OF(config.fragment_mark));
	return bpf_redirect_map(&egress, entry, XDP_ABORTED);
}

/* `pieces`: how many fragments, with VERDICT_FRAGMENTED. */
static __always_inline int carry_out(struct counters *count, __u32 pieces, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_NOT_TUNNEL:
	case VERDICT_OUTER_FRAGMENT:
	case VERDICT_PASSED:
		return XDP_PASS;
	case VERDICT_TRANSMITTED:
		if (!config.transmit_by_redirect)
			return XDP_TX;
		return redirect(count);
	case VERDICT_REDIRECTED:
		return redirect(count);
	case VERDICT_FRAGMENTED:
		return fragment_send(count, TRIMMING_OF(config.fragment_mark), pieces,
				     config.trace);
	case VERDICT_ERROR:
		return XDP_ABORTED;
	default:
		return XDP_DROP;
	}
}

#endif
