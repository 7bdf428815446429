// SPDX-License-Identifier: GPL-2.0-only
/* Decides whether a frame belongs to the tunnel, and finds the inner frame. */
#include "model.h"

#define NOT_TUNNEL ONE_OF(IS_not_tunnel)
#define FRAGMENT   ONE_OF(IS_outer_fragment)
#define MALFORMED  ONE_OF(IS_malformed)

/*
 * A frame with an impossible IP header, or with lengths that contradict each other, may or may not
 * belong to the tunnel: both verdicts are right.
 */
#define UNCLEAR          (NOT_TUNNEL | MALFORMED)
/* A fragment that does not show whether it is UDP to the port. */
#define UNCLEAR_FRAGMENT (NOT_TUNNEL | FRAGMENT)

struct outer {
	const uint8_t *frame;
	size_t length;
	size_t ip, upper;
	size_t end; /* of the IP packet by its header; may be behind the frame's */
	const uint8_t *source;
	uint8_t version;
	uint8_t protocol;
	bool is_fragment, is_later;
	bool has_options; /* extension headers */
};

static uint32_t decide_unless(bool whole, uint32_t otherwise)
{
	return whole ? 0 : otherwise;
}

static uint32_t read_ethernet(struct outer *outer, uint16_t *type)
{
	size_t at = 12;

	for (int tags = 0;; tags++, at += 4) {
		if (at + 2 > outer->length)
			return NOT_TUNNEL;
		*type = read16(outer->frame + at);
		if ((*type != 0x8100 && *type != 0x88a8) || tags == 2)
			break;
	}
	outer->ip = at + 2;
	return 0;
}

static uint32_t read_ipv4(struct outer *outer)
{
	const uint8_t *ip = outer->frame + outer->ip;
	uint16_t fragment;

	if (outer->ip + 20 > outer->length)
		return NOT_TUNNEL;
	if (ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return UNCLEAR;
	outer->version = 4;
	outer->upper = outer->ip + 4 * (size_t)(ip[0] & 15);
	outer->end = outer->ip + read16(ip + 2);
	outer->source = ip + 12;
	outer->protocol = ip[9];
	fragment = read16(ip + 6);
	outer->is_fragment = fragment & 0x3fff;
	outer->is_later = fragment & 0x1fff;
	return 0;
}

static uint32_t read_ipv6(struct outer *outer)
{
	const uint8_t *ip = outer->frame + outer->ip;
	struct chain chain;

	if (outer->ip + 40 > outer->length)
		return NOT_TUNNEL;
	if (ip[0] >> 4 != 6)
		return UNCLEAR;
	outer->version = 6;
	outer->end = outer->ip + 40 + read16(ip + 4);
	outer->source = ip + 8;
	model_follow(&chain, outer->frame, outer->ip + 40,
		     outer->end < outer->length ? outer->end : outer->length, ip[6]);
	if (chain.is_cut)
		return UNCLEAR;
	outer->upper = chain.at;
	outer->has_options = chain.at > outer->ip + 40;
	outer->protocol = chain.protocol;
	outer->is_fragment = chain.is_fragment;
	outer->is_later = chain.is_later;
	if (chain.is_later)
		return 0;
	/* after too many headers, or with segments left, the frame counts as not the tunnel's */
	return decide_unless(chain.reached, chain.is_fragment ? UNCLEAR_FRAGMENT : NOT_TUNNEL);
}

static bool source_may_send(const struct scenario *scenario, const struct outer *outer)
{
	for (size_t i = 0; i < scenario->source_count; i++)
		if (model_in_network(&scenario->sources[i], outer->source, outer->version))
			return true;
	return !scenario->source_count;
}

/* 0: a whole UDP datagram to the port; else the verdicts. */
static uint32_t read_udp(const struct scenario *scenario, const struct outer *outer)
{
	const uint8_t *udp = outer->frame + outer->upper;
	uint32_t unclear = outer->is_fragment ? UNCLEAR_FRAGMENT : UNCLEAR;
	uint32_t other = outer->is_fragment ? UNCLEAR_FRAGMENT : NOT_TUNNEL;

	if (outer->protocol != 17)
		return other;
	if (outer->is_later)
		return FRAGMENT;
	/* extension headers end behind the packet: no UDP, or contradicting lengths */
	if (outer->has_options && outer->upper + 8 > outer->end)
		return source_may_send(scenario, outer) ? unclear
							: unclear | ONE_OF(IS_source_denied);
	if (outer->upper + 4 > outer->length)
		return unclear;
	if (read16(udp + 2) != scenario->port)
		return other;
	if (outer->upper + 8 > outer->length)
		return unclear; /* the port is there, but not the whole UDP header */
	return outer->is_fragment ? FRAGMENT : 0;
}

static bool is_listed(const struct scenario *scenario, uint32_t vni)
{
	for (size_t i = 0; i < scenario->vni_count; i++)
		if (scenario->vnis[i] == vni)
			return true;
	return scenario->any_vni;
}

static uint32_t find_udp(const struct scenario *scenario, struct outer *outer)
{
	uint16_t type;
	uint32_t verdicts = read_ethernet(outer, &type);

	if (verdicts)
		return verdicts;
	if (type == 0x0800)
		verdicts = read_ipv4(outer);
	else if (type == 0x86dd)
		verdicts = read_ipv6(outer);
	else
		return NOT_TUNNEL;
	return verdicts ? verdicts : read_udp(scenario, outer);
}

bool model_open(const struct model *model, const uint8_t *frame, size_t length,
		struct answer *answer, size_t *start, size_t *carried)
{
	const struct scenario *scenario = model->scenario;
	struct outer outer = {.frame = frame, .length = length};
	const uint8_t *vxlan;
	size_t udp_length;

	answer->verdicts = find_udp(scenario, &outer);
	if (answer->verdicts) {
		answer->as_it_came = true;
		return false;
	}
	answer->verdicts = ONE_OF(IS_source_denied);
	if (!source_may_send(scenario, &outer))
		return false;
	answer->verdicts = MALFORMED;
	udp_length = read16(frame + outer.upper + 4);
	if (outer.end > length || outer.upper + udp_length > outer.end || udp_length < 16)
		return false;
	vxlan = frame + outer.upper + 8;
	answer->verdicts = ONE_OF(IS_bad_vxlan);
	if (!(vxlan[0] & 8))
		return false;
	answer->vni = (uint32_t)vxlan[4] << 16 | read16(vxlan + 5);
	answer->verdicts = ONE_OF(IS_unknown_vni);
	if (!is_listed(scenario, answer->vni))
		return false;
	*start = outer.upper + 16;
	*carried = udp_length - 16;
	answer->behind = outer.upper + udp_length < length;
	answer->verdicts = MALFORMED;
	answer->events = *carried < 14 ? ONE_OF(DID_inner_malformed) : 0;
	return *carried >= 14;
}
