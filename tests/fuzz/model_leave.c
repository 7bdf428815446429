// SPDX-License-Identifier: GPL-2.0-only
/* Packets that leave: DF, size, who fragments, and which packets the kernel must not get. */
#include "model.h"

#include <string.h>

#define IP          14
#define MOST_PIECES 8 /* the program makes that many fragments of a packet; the kernel more */

/* The packet's length by its header, or less if it was cut short. */
static size_t ip_length(const struct inner *inner)
{
	return inner->end - IP;
}

static bool may_be_cut(const struct inner *inner)
{
	return inner->version == 4 && !(inner->frame[IP + 6] & 0x40);
}

/*
 * Is this an address that every host routes like any other, so that the simulated gateway has a
 * route to it? docs/ does not say where the others lead (this host's own, multicast, none).
 */
static bool is_ordinary(const uint8_t *address, uint8_t version)
{
	if (version == 4)
		return address[0] && address[0] != 127 && address[0] < 224 &&
		       !(address[0] == 169 && address[1] == 254);
	return address[0] >= 0x20 && address[0] < 0xfe;
}

static bool leads_somewhere(const struct inner *inner)
{
	return is_ordinary(inner->frame + IP + (inner->version == 4 ? 16 : 24), inner->version);
}

/* With IPv6, the source counts as well: link-local ones stay on their link. */
static bool is_routed(const struct inner *inner)
{
	return leads_somewhere(inner) &&
	       (inner->version == 4 || is_ordinary(inner->frame + IP + 8, 6));
}

/*
 * The program passes the packet to the kernel, or drops it if the kernel could only drop it as well:
 * its TTL is used up, or it is too long and must not be fragmented. Too long for forward.mtu, it is
 * dropped, too, if the kernel would fragment it to more than that: to the MTU of the simulated
 * device, which is larger where forward.mtu is set. What the kernel does not route may be passed or
 * dropped.
 */
static uint32_t kernel_verdicts(const struct model *model, const struct inner *inner)
{
	bool is_long = ip_length(inner) > model_mtu(model);
	bool used_up = inner->frame[IP + (inner->version == 4 ? 8 : 7)] <= 1;
	uint32_t dropped = ONE_OF(is_long ? IS_oversize : IS_no_route);

	if (!used_up && !(is_long && (!may_be_cut(inner) || model->scenario->mtu)))
		return ONE_OF(IS_passed);
	return is_routed(inner) ? dropped : dropped | ONE_OF(IS_passed);
}

/*
 * The program cuts padding behind the IP packet if the frame is too long with it. If the packet is
 * too long even without, the padding may stay: the kernel gets the packet and cuts it off.
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
	uint32_t above = model->scenario->clear_df_above;

	if (inner->version != 4 || !(ip[6] & 0x40) || above == NEVER)
		return;
	/* above what is configured, and above what the way takes */
	if (inner->claimed <= above && inner->claimed <= model_mtu(model))
		return;
	ip[6] &= 0xbf;
	write16(ip + 10, model_checksum(read16(ip + 10), old, ip + 6, 2));
	answer->events |= ONE_OF(DID_df_cleared);
	/* the ID of a fragment has a meaning, even if it is 0 */
	if (read16(ip + 4) || inner->is_fragment)
		return;
	answer->fresh_id = true;
	answer->events |= ONE_OF(DID_id_assigned);
}

/* The verdicts of a packet to be fragmented: by the program, or by the kernel if that cannot. */
static uint32_t fragmenting_verdicts(const struct model *model, const struct inner *inner,
				     const struct answer *answer)
{
	const struct scenario *scenario = model->scenario;
	const uint8_t *ip = inner->frame + IP;
	size_t header = 4 * (size_t)(ip[0] & 15), payload = inner->claimed - header;
	size_t piece = (model_mtu(model) - header) / 8 * 8;

	/* generic mode, several buffers, too small a device MTU, IP options, or too many pieces */
	if (scenario->generic || answer->scattered || !scenario->mtu || header > 20 ||
	    payload > MOST_PIECES * piece)
		return kernel_verdicts(model, inner);
	/* docs/ does not say who fragments a truncated packet, or one that ends beyond 65535 */
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
	if (scenario->next_hop == BY_ROUTE &&
	    !(answer->events & ONE_OF(DID_nat_applied) ? leads_somewhere(inner) : is_routed(inner)))
		answer->verdicts |= ONE_OF(IS_no_route);
	if (ip_length(inner) > model_mtu(model)) {
		answer->verdicts &= ONE_OF(IS_no_route);
		if (scenario->oversize == PASS_OVERSIZE)
			answer->verdicts |= kernel_verdicts(model, inner);
		else if (scenario->oversize == DROP_OVERSIZE || !may_be_cut(inner))
			answer->verdicts |= ONE_OF(IS_oversize);
		else
			answer->verdicts |= fragmenting_verdicts(model, inner, answer);
	} else if (answer->scattered) {
		answer->verdicts &= ONE_OF(IS_no_route);
		answer->verdicts |= kernel_verdicts(model, inner);
	}
	cut_padding(model, inner, answer);
	drop_if_certain(answer);
}
