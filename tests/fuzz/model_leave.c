// SPDX-License-Identifier: GPL-2.0-only
/* The way out: DF, size, who cuts, and whom the kernel must not answer. */
#include "model.h"

#include <string.h>

#define IP          14
#define MOST_PIECES 8 /* that a packet is cut to without the kernel */

/* As long as its header says, or as much of that as is there. */
static size_t ip_length(const struct inner *inner)
{
	return inner->end - IP;
}

static bool may_be_cut(const struct inner *inner)
{
	return inner->version == 4 && !(inner->frame[IP + 6] & 0x40);
}

/*
 * An address that every host routes like any other, so that the simulated gateway has it. Of the
 * rest (this host's own, multicast, none) the description does not say where they lead.
 */
static bool is_ordinary(const uint8_t *address, uint8_t version)
{
	if (version == 4)
		return address[0] && address[0] != 127 && address[0] < 224 &&
		       !(address[0] == 169 && address[1] == 254);
	return address[0] >= 0x20 && address[0] < 0xfe;
}

/* Of IPv6, the source counts as well: link-local ones stay on their link. */
static bool is_routed(const struct inner *inner)
{
	const uint8_t *ip = inner->frame + IP;

	if (inner->version == 4)
		return is_ordinary(ip + 16, 4);
	return is_ordinary(ip + 8, 6) && is_ordinary(ip + 24, 6);
}

/*
 * The kernel gets the packet, unless it would only answer the captured sender with an ICMP error:
 * that packet is dropped. Where it would not route the packet in the first place, nor would it answer.
 */
static uint32_t kernel_verdicts(const struct model *model, const struct inner *inner)
{
	bool is_long = ip_length(inner) > model_mtu(model);
	bool used_up = inner->frame[IP + (inner->version == 4 ? 8 : 7)] <= 1;
	uint32_t dropped = ONE_OF(is_long ? IS_oversize : IS_no_route);

	if (!used_up && !(is_long && !may_be_cut(inner)))
		return ONE_OF(IS_passed);
	return is_routed(inner) ? dropped : dropped | ONE_OF(IS_passed);
}

/*
 * Padding behind the IP packet is cut where the frame would be too long with it. If the packet is too
 * long in any case, the kernel, which gets it, would cut the padding off as well.
 */
static void cut_padding(const struct model *model, const struct inner *inner, struct answer *answer)
{
	if (inner->present <= inner->claimed || inner->present <= model_mtu(model))
		return;
	answer->may_cut = inner->claimed > model_mtu(model);
	answer->length = IP + inner->claimed;
	answer->events |= ONE_OF(DID_trailer_cut);
}

static void drop_if_certain(struct answer *answer)
{
	const uint32_t leaving = ONE_OF(IS_redirected) | ONE_OF(IS_transmitted) |
				 ONE_OF(IS_fragmented) | ONE_OF(IS_passed);

	if (!(answer->verdicts & leaving))
		answer->length = 0;
}

void model_hand_to_kernel(const struct model *model, const struct inner *inner,
			  struct answer *answer)
{
	answer->verdicts = kernel_verdicts(model, inner);
	cut_padding(model, inner, answer);
	drop_if_certain(answer);
}

static void clear_df(const struct model *model, const struct inner *inner, struct answer *answer)
{
	uint8_t *ip = inner->frame + IP, old[2] = {ip[6], ip[7]};

	if (inner->version != 4 || !(ip[6] & 0x40) || model->scenario->clear_df_above == NEVER ||
	    inner->claimed <= model->scenario->clear_df_above)
		return;
	ip[6] &= 0xbf;
	write16(ip + 10, model_checksum(read16(ip + 10), old, ip + 6, 2));
	answer->events |= ONE_OF(DID_df_cleared);
	/* a fragment's ID means something, be it 0 */
	if (read16(ip + 4) || inner->is_fragment)
		return;
	answer->fresh_id = true;
	answer->events |= ONE_OF(DID_id_assigned);
}

/* Who cuts it: the program, or the kernel where the program says that it cannot. */
static uint32_t fragmenting_verdicts(const struct model *model, const struct inner *inner)
{
	const struct scenario *scenario = model->scenario;
	const uint8_t *ip = inner->frame + IP;
	size_t header = 4 * (size_t)(ip[0] & 15), payload = inner->claimed - header;
	size_t piece = (model_mtu(model) - header) / 8 * 8;

	/* generic mode; an interface whose MTU does not admit the whole of it; options; most pieces */
	if (scenario->generic || !scenario->mtu || header > 20 || payload > MOST_PIECES * piece)
		return kernel_verdicts(model, inner);
	/* of a packet that is not all there, and of the end of one that cannot be, nobody says */
	if (inner->claimed > inner->present ||
	    (size_t)(read16(ip + 6) & 0x1fff) * 8 + payload > 65535)
		return kernel_verdicts(model, inner) | ONE_OF(IS_fragmented);
	return ONE_OF(IS_fragmented);
}

void model_leave(const struct model *model, struct inner *inner, struct answer *answer)
{
	const struct scenario *scenario = model->scenario;

	clear_df(model, inner, answer);
	answer->verdicts = ONE_OF(scenario->single_arm ? IS_transmitted : IS_redirected);
	/* the simulated gateway has a route to every ordinary destination */
	if (scenario->next_hop == BY_ROUTE && !is_routed(inner))
		answer->verdicts |= ONE_OF(IS_no_route);
	if (ip_length(inner) > model_mtu(model)) {
		answer->verdicts &= ONE_OF(IS_no_route);
		if (scenario->oversize == PASS_OVERSIZE)
			answer->verdicts |= kernel_verdicts(model, inner);
		else if (scenario->oversize == DROP_OVERSIZE || !may_be_cut(inner))
			answer->verdicts |= ONE_OF(IS_oversize);
		else
			answer->verdicts |= fragmenting_verdicts(model, inner);
	}
	cut_padding(model, inner, answer);
	drop_if_certain(answer);
}
