// SPDX-License-Identifier: GPL-2.0-only
#include "compare.h"

#include <linux/bpf.h>
#include <stdarg.h>
#include <string.h>

#include "datapath/names.h"

#define ETHERNET 14

static enum model_verdict verdict_of[VERDICT_COUNT];
static uint32_t event_of[EVENT_COUNT];

/* The model's number for a name of the product; -1, and it is said: the model has no such name. */
static int find_name(const char *const *names, unsigned int count, const char *name)
{
	for (unsigned int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	fprintf(stderr, "tests/fuzz/model.h knows no %s\n", name);
	return -1;
}

bool compare_start(void)
{
	bool known = true;

	for (unsigned int i = 1; i < VERDICT_COUNT; i++) {
		int found = find_name(model_verdict_names, MODEL_VERDICT_COUNT, verdict_name(i));

		verdict_of[i] = (enum model_verdict)found;
		known = known && found >= 0;
	}
	for (unsigned int i = 0; i < EVENT_COUNT; i++) {
		int found = find_name(model_event_names, MODEL_EVENT_COUNT, event_name(i));

		event_of[i] = found < 0 ? 0 : ONE_OF(found);
		known = known && found >= 0;
	}
	return known;
}

enum model_verdict compare_verdict(const struct trace *trace)
{
	return trace->verdict < VERDICT_COUNT ? verdict_of[trace->verdict] : IS_error;
}

uint32_t compare_events(const struct trace *trace)
{
	uint32_t events = 0;

	for (unsigned int i = 0; i < EVENT_COUNT; i++)
		if (trace->events >> i & 1)
			events |= event_of[i];
	return events;
}

static bool differ(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool differ(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, COMPARE_TEXT, format, args);
	va_end(args);
	return false;
}

static bool leaves(enum model_verdict verdict)
{
	return verdict == IS_redirected || verdict == IS_transmitted || verdict == IS_fragmented ||
	       verdict == IS_passed;
}

static bool right_action(const struct model *model, enum model_verdict verdict, uint32_t action)
{
	switch (verdict) {
	case IS_not_tunnel:
	case IS_outer_fragment:
	case IS_passed:
		return action == XDP_PASS;
	case IS_transmitted: /* through a devmap if the driver rings its doorbell for each XDP_TX */
		return action == (model->scenario->rings_each ? XDP_REDIRECT : XDP_TX);
	case IS_redirected:
	case IS_fragmented:
		return action == XDP_REDIRECT;
	default:
		return action == XDP_DROP;
	}
}

static bool same_bytes(const uint8_t *want, size_t want_length, const struct datapath_frame *got,
		       char *why)
{
	if (got->length != want_length)
		return differ(why, "%zu bytes leave, not %zu", got->length, want_length);
	for (size_t i = 0; i < want_length; i++)
		if (got->bytes[i] != want[i])
			return differ(why, "byte %zu of what leaves is 0x%02x, not 0x%02x", i,
				      got->bytes[i], want[i]);
	return true;
}

/* Writes the ID that the program chose to the model's frame, and adapts its checksum. */
static bool take_id(uint8_t *frame, const uint8_t *got, char *why)
{
	uint8_t *ip = frame + ETHERNET;

	if (!read16(got + ETHERNET + 4))
		return differ(why, "the fresh ID is 0");
	write16(ip + 10, model_checksum(read16(ip + 10), ip + 4, got + ETHERNET + 4, 2));
	memcpy(ip + 4, got + ETHERNET + 4, 2);
	return true;
}

/* Compares a fragment with its packet. `*offset`: where the fragments before it ended. */
static bool same_fragment(const struct model *model, const uint8_t *whole, size_t length,
			  const struct datapath_frame *got, size_t *offset, char *why)
{
	uint8_t want[MODEL_FRAME], *ip = want + ETHERNET, old[8];
	size_t payload = length - ETHERNET - 20, size = got->length - ETHERNET - 20;
	bool last = *offset + size == payload;
	uint16_t flags = read16(whole + ETHERNET + 6);

	if (got->length < ETHERNET + 21 || got->length - ETHERNET > model_mtu(model))
		return differ(why, "a fragment of %zu bytes", got->length);
	if (*offset + size > payload || (!last && size % 8))
		return differ(why, "a fragment of %zu bytes at %zu of %zu", size, *offset, payload);
	memcpy(want, whole, ETHERNET + 20);
	memcpy(old, ip, 8);
	write16(ip + 2, size + 20);
	write16(ip + 6, flags + *offset / 8);
	if (!last)
		ip[6] |= 0x20;
	write16(ip + 10, model_checksum(read16(ip + 10), old, ip, 8));
	memcpy(ip + 20, whole + ETHERNET + 20 + *offset, size);
	*offset += size;
	return same_bytes(want, got->length, got, why);
}

static bool same_fragments(const struct model *model, const uint8_t *whole, size_t length,
			   const struct datapath_outcome *got, char *why)
{
	size_t offset = 0;

	if (got->frame_count < 2)
		return differ(why, "%zu fragments", got->frame_count);
	for (size_t i = 0; i < got->frame_count; i++)
		if (!same_fragment(model, whole, length, &got->frames[i], &offset, why))
			return false;
	if (offset != length - ETHERNET - 20)
		return differ(why, "the last fragment ends at %zu", offset);
	return true;
}

/* Did the program leave the padding on a packet whose padding it may cut or keep? */
static bool keeps_padding(const struct answer *want, enum model_verdict verdict,
			  const struct datapath_outcome *got)
{
	return want->may_cut && verdict == IS_passed && got->frames[0].length == want->padded;
}

static bool same_frames(const struct model *model, const struct answer *want,
			enum model_verdict verdict, const struct datapath_outcome *got, char *why)
{
	uint8_t whole[MODEL_FRAME];
	size_t length = want->length;

	memcpy(whole, want->frame, sizeof(whole));
	if (keeps_padding(want, verdict, got))
		length = want->padded;
	model_set_addresses(model, verdict, whole);
	if (want->fresh_id && !take_id(whole, got->frames[0].bytes, why))
		return false;
	if (verdict == IS_fragmented)
		return same_fragments(model, whole, length, got, why);
	return same_bytes(whole, length, &got->frames[0], why);
}

bool compare_answers(const struct model *model, const struct answer *want,
		     const struct datapath_outcome *got, const uint8_t *frame, size_t length,
		     char why[COMPARE_TEXT])
{
	enum model_verdict verdict = compare_verdict(&got->trace);
	uint32_t events = compare_events(&got->trace), expected = want->events;

	if (!(want->verdicts & ONE_OF(verdict)))
		return differ(why, "verdict %s", model_verdict_names[verdict]);
	if (!right_action(model, verdict, got->action))
		return differ(why, "verdict %s and XDP action %u", model_verdict_names[verdict],
			      got->action);
	if (got->trace.vni != (want->vni == NO_VNI ? VNI_NONE : want->vni))
		return differ(why, "VNI %u", got->trace.vni);
	if (got->trace.rule != want->rule)
		return differ(why, "rule %u", got->trace.rule);
	if (!leaves(verdict) || (keeps_padding(want, verdict, got) && !want->behind))
		expected &= ~ONE_OF(DID_trailer_cut);
	if (events != expected)
		return differ(why, "events 0x%x, not 0x%x", events, expected);
	if (!leaves(verdict))
		return !want->as_it_came || same_bytes(frame, length, &got->frames[0], why);
	return same_frames(model, want, verdict, got, why);
}
