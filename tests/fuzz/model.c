// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <string.h>

const char *const model_verdict_names[MODEL_VERDICT_COUNT] = {
#define X(name) #name,
	MODEL_VERDICTS(X)
#undef X
};

const char *const model_event_names[MODEL_EVENT_COUNT] = {
#define X(name) #name,
	MODEL_EVENTS(X)
#undef X
};

void model_start(struct model *model, const struct scenario *scenario,
		 const struct model_host *host)
{
	memset(model, 0, sizeof(*model));
	model->scenario = scenario;
	model->host = *host;
}

uint32_t model_mtu(const struct model *model)
{
	return model->scenario->mtu ? model->scenario->mtu : model->host.device_mtu;
}

uint16_t model_checksum(uint16_t checksum, const uint8_t *old, const uint8_t *new, size_t size)
{
	uint32_t sum = (uint16_t)~checksum;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint16_t)~read16(old + i) + read16(new + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

bool model_in_network(const struct network *network, const uint8_t *address, uint8_t version)
{
	if (network->version != version)
		return false;
	for (unsigned int bit = 0; bit < network->length; bit++)
		if ((network->address[bit / 8] ^ address[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static bool is_extension(uint8_t protocol)
{
	return protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60;
}

void model_follow(struct chain *chain, const uint8_t *frame, size_t start, size_t end,
		  uint8_t protocol)
{
	*chain = (struct chain){.at = start, .protocol = protocol};
	for (int i = 0; i < MOST_EXTENSIONS && is_extension(chain->protocol); i++) {
		const uint8_t *header = frame + chain->at;

		if (chain->at + 8 > end) {
			chain->is_cut = true;
			return;
		}
		if (chain->protocol == 44) {
			uint16_t bits = read16(header + 2);

			/* offset 0 and no more fragments: a whole packet (RFC 6946) */
			if (bits & 0xfff9) {
				chain->is_fragment = true;
				memcpy(&chain->id, header + 4, 4);
			}
			chain->is_later = bits & 0xfff8;
			chain->protocol = header[0];
			chain->at += 8;
			if (chain->is_later)
				return; /* payload from the middle of the datagram */
			continue;
		}
		if (chain->protocol == 43 && header[3])
			return; /* segments left: not at its final destination yet */
		chain->protocol = header[0];
		chain->at += 8 + 8 * (size_t)header[1];
	}
	chain->reached = !is_extension(chain->protocol);
}

void model_set_addresses(const struct model *model, enum model_verdict verdict, uint8_t *frame)
{
	const struct scenario *scenario = model->scenario;

	if (verdict == IS_passed) {
		memcpy(frame, model->host.listen_mac, 6);
		memcpy(frame + 6, model->host.pass_mac, 6);
		return;
	}
	if (scenario->next_hop == BY_KEEPING)
		return;
	memcpy(frame,
	       scenario->next_hop == BY_MAC ? scenario->next_hop_mac : model->host.gateway_mac, 6);
	memcpy(frame + 6, model->host.egress_mac, 6);
}

void model_judge(struct model *model, const uint8_t *frame, size_t length, struct answer *answer)
{
	struct inner inner = {0};
	size_t start, carried;

	answer->verdicts = answer->rule = answer->events = 0;
	answer->vni = NO_VNI;
	answer->may_cut = answer->fresh_id = answer->as_it_came = answer->behind = false;
	answer->scattered = length > SCENARIO_ONE_BUFFER && !model->scenario->generic;
	answer->length = 0;
	if (!model_open(model, frame, length, answer, &start, &carried))
		return;
	memcpy(answer->frame, frame + start, carried);
	inner.frame = answer->frame;
	inner.vni = answer->vni;
	inner.present = carried - 14;
	answer->length = answer->padded = carried;
	model_judge_inner(model, &inner, answer);
	if (answer->length && answer->behind)
		answer->events |= ONE_OF(DID_trailer_cut);
}
