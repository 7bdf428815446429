// SPDX-License-Identifier: GPL-2.0-only
/* The inner frame: reads its headers, finds its rule and applies it. */
#include "model.h"

#include <string.h>

#define IP 14 /* offset of the IP header in an inner frame */

static void drop(struct answer *answer, enum model_verdict verdict)
{
	answer->verdicts = ONE_OF(verdict);
	answer->length = 0;
}

static void drop_malformed(struct answer *answer)
{
	answer->events |= ONE_OF(DID_inner_malformed);
	drop(answer, IS_malformed);
}

/* Judges a frame that is neither IPv4 nor IPv6. */
static void judge_stranger(const struct model *model, const struct inner *inner,
			   struct answer *answer)
{
	const struct scenario *scenario = model->scenario;

	if (scenario->next_hop != BY_KEEPING || scenario->unmatched != FORWARD_IT) {
		drop(answer, IS_inner_not_ip);
		return;
	}
	answer->verdicts = ONE_OF(scenario->single_arm ? IS_transmitted : IS_redirected);
	/* a frame above the MTU cannot be sent, and nobody can fragment it */
	if (inner->present <= model_mtu(model)) {
		if (answer->scattered)
			answer->verdicts = ONE_OF(IS_passed);
		return;
	}
	if (scenario->oversize == PASS_OVERSIZE)
		answer->verdicts = ONE_OF(IS_passed);
	else
		drop(answer, IS_oversize);
}

/* False: the header contradicts itself, or is not whole. */
static bool read_lengths(struct inner *inner)
{
	const uint8_t *ip = inner->frame + IP;
	size_t header;

	inner->version = read16(inner->frame + 12) == 0x0800 ? 4 : 6;
	if (inner->present < (inner->version == 4 ? 20 : 40) || ip[0] >> 4 != inner->version)
		return false;
	if (inner->version == 6) {
		inner->claimed = 40 + (size_t)read16(ip + 4);
		return true;
	}
	header = 4 * (size_t)(ip[0] & 15);
	inner->claimed = read16(ip + 2);
	return header >= 20 && inner->claimed >= header;
}

static void read_upper(struct inner *inner)
{
	const uint8_t *ip = inner->frame + IP;
	struct chain chain;
	uint16_t bits;

	if (inner->version == 4) {
		bits = read16(ip + 6);
		inner->is_fragment = bits & 0x3fff;
		inner->is_later = bits & 0x1fff;
		inner->id = read16(ip + 4);
		inner->protocol = ip[9];
		inner->upper = IP + 4 * (size_t)(ip[0] & 15);
	} else {
		model_follow(&chain, inner->frame, IP + 40, inner->end, ip[6]);
		inner->is_fragment = chain.is_fragment;
		inner->is_later = chain.is_later;
		inner->id = chain.id;
		inner->protocol = chain.reached ? chain.protocol : -1;
		inner->upper = chain.at;
	}
	if (!inner->is_later)
		inner->has_ports = (inner->protocol == 17 && inner->upper + 8 <= inner->end) ||
				   (inner->protocol == 6 && inner->upper + 20 <= inner->end);
}

/* Writes what identifies the datagram of a fragment, RFC 791 and RFC 8200. */
static void fragment_key(const struct inner *inner, uint8_t key[44])
{
	const uint8_t *ip = inner->frame + IP;

	memset(key, 0, 44);
	memcpy(key, &inner->vni, 4);
	memcpy(key + 4, &inner->id, 4);
	key[8] = inner->version;
	if (inner->version == 4) {
		key[9] = ip[9];
		memcpy(key + 12, ip + 12, 8);
	} else {
		memcpy(key + 12, ip + 8, 32);
	}
}

static struct decision *find_decision(struct model *model, const struct inner *inner)
{
	struct decision *decision;
	uint64_t hash = 14695981039346656037U;
	uint8_t key[44];

	fragment_key(inner, key);
	for (size_t i = 0; i < sizeof(key); i++)
		hash = (hash ^ key[i]) * 1099511628211U;
	for (;; hash++) {
		decision = &model->decisions[hash % MODEL_DECISIONS];
		if (!decision->used) {
			memcpy(decision->key, key, sizeof(key));
			return decision;
		}
		if (memcmp(decision->key, key, sizeof(key)) == 0)
			return decision;
	}
}

/* Later fragments get the rule of the first, if it came; without rules nobody asks for it. */
static uint32_t choose_rule(struct model *model, const struct inner *inner, struct answer *answer)
{
	uint32_t rule = inner->has_ports ? model_find_rule(model, inner) : 0;
	struct decision *decision;

	if (!inner->is_fragment)
		return rule;
	decision = find_decision(model, inner);
	if (inner->is_later) {
		if (!decision->used && model->scenario->rule_count)
			answer->events |= ONE_OF(DID_fragment_orphaned);
		return decision->used ? decision->rule : 0;
	}
	decision->used = true;
	decision->rule = rule;
	return rule;
}

static void rewrite_udp(const struct model *model, const struct inner *inner, uint8_t *checksum,
			const uint8_t *old, const uint8_t *new, size_t size)
{
	uint16_t value = read16(checksum);

	if (!value || model->scenario->udp_checksum == PRESERVE_CHECKSUM)
		return; /* zero: there is none, RFC 768 and RFC 6935 */
	if (inner->version == 4 && model->scenario->udp_checksum == ZERO_CHECKSUM) {
		write16(checksum, 0);
		return;
	}
	value = model_checksum(value, old, new, size);
	write16(checksum, value ? value : 0xffff);
}

static void rewrite(const struct model *model, struct inner *inner,
		    const struct scenario_rule *rule)
{
	size_t size = inner->version == 4 ? 4 : 16;
	uint8_t *ip = inner->frame + IP, *destination = ip + (inner->version == 4 ? 16 : 24);
	uint8_t *upper = inner->frame + inner->upper, old[18], new[18];

	memcpy(old, destination, size);
	memcpy(new, rule->to, size);
	memcpy(destination, new, size);
	if (inner->version == 4)
		write16(ip + 10, model_checksum(read16(ip + 10), old, new, size));
	if (!inner->has_ports)
		return;
	if (rule->to_port) {
		memcpy(old + size, upper + 2, 2);
		write16(upper + 2, rule->to_port);
		memcpy(new + size, upper + 2, 2);
		size += 2;
	}
	if (inner->protocol == 17)
		rewrite_udp(model, inner, upper + 6, old, new, size);
	else
		write16(upper + 16, model_checksum(read16(upper + 16), old, new, size));
}

uint32_t model_find_rule(const struct model *model, const struct inner *inner)
{
	const struct scenario *scenario = model->scenario;
	const uint8_t *ip = inner->frame + IP, *upper = inner->frame + inner->upper;
	const uint8_t *source = ip + (inner->version == 4 ? 12 : 8);
	const uint8_t *destination = ip + (inner->version == 4 ? 16 : 24);

	for (size_t i = 0; i < scenario->rule_count; i++) {
		const struct scenario_rule *rule = &scenario->rules[i];

		if (rule->to_version != inner->version ||
		    (rule->source_port >= 0 && rule->source_port != read16(upper)) ||
		    (rule->destination_port >= 0 && rule->destination_port != read16(upper + 2)) ||
		    (rule->protocol && rule->protocol != inner->protocol) ||
		    (rule->vni >= 0 && rule->vni != inner->vni))
			continue;
		if (rule->source.version &&
		    !model_in_network(&rule->source, source, inner->version))
			continue;
		if (rule->destination.version &&
		    !model_in_network(&rule->destination, destination, inner->version))
			continue;
		return (uint32_t)i + 1;
	}
	return 0;
}

static void apply_rules(struct model *model, struct inner *inner, struct answer *answer)
{
	uint32_t rule = choose_rule(model, inner, answer);

	if (rule) {
		answer->rule = rule;
		answer->events |= ONE_OF(DID_nat_applied);
		if (inner->is_later)
			answer->events |= ONE_OF(DID_fragment_followed);
		rewrite(model, inner, &model->scenario->rules[rule - 1]);
		model_leave(model, inner, answer);
		return;
	}
	if (model->scenario->unmatched == FORWARD_IT)
		model_leave(model, inner, answer);
	else if (model->scenario->unmatched == PASS_IT)
		model_hand_to_kernel(model, inner, answer);
	else
		drop(answer, IS_unmatched);
}

void model_judge_inner(struct model *model, struct inner *inner, struct answer *answer)
{
	uint16_t type = read16(inner->frame + 12);

	if (type != 0x0800 && type != 0x86dd) {
		judge_stranger(model, inner, answer);
		return;
	}
	if (!read_lengths(inner)) {
		drop_malformed(answer);
		return;
	}
	answer->ip_length = inner->claimed;
	inner->end = IP + (inner->claimed < inner->present ? inner->claimed : inner->present);
	if (inner->claimed > inner->present) {
		answer->events |= ONE_OF(DID_inner_truncated);
		if (model->scenario->truncated == DROP_IT) {
			drop(answer, IS_truncated);
			return;
		}
		if (model->scenario->truncated == PASS_IT) {
			model_hand_to_kernel(model, inner, answer);
			return;
		}
	}
	read_upper(inner);
	apply_rules(model, inner, answer);
}
