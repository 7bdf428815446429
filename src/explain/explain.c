// SPDX-License-Identifier: GPL-2.0-only
#include "explain/explain.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "datapath/names.h"

#define ETHERNET_HEADER 14

/* The inner frame as it came: where it is, and how long as the outer lengths have it. */
struct inner_frame {
	const uint8_t *bytes;
	size_t length;
};

static bool same_field(const struct dissect_field *a, const struct dissect_field *b)
{
	return a->checksum == b->checksum && strcmp(a->text, b->text) == 0;
}

static void add_change(struct explain_out *out, const struct dissect_field *from,
		       const struct dissect_field *to)
{
	out->changes[out->change_count++] = (struct explain_change){from, to};
}

/* Fields in the order in which they came, then those that are new. */
static void compare_fields(struct explain_out *out, const struct dissection *before)
{
	const struct dissection *after = &out->fields;

	out->change_count = 0;
	for (size_t i = 0; i < before->count; i++) {
		const struct dissect_field *from = &before->fields[i];
		const struct dissect_field *to = dissect_find(after, from->name, from->number);

		if (!to || !same_field(from, to))
			add_change(out, from, to);
	}
	for (size_t i = 0; i < after->count; i++) {
		const struct dissect_field *to = &after->fields[i];

		if (!dissect_find(before, to->name, to->number))
			add_change(out, NULL, to);
	}
}

/*
 * What follows the headers must leave as it came, whatever happened to the headers. `*at` is how far
 * the payload has been seen in the frames before, as fragments share it.
 */
static bool payload_differs(const struct explain_out *out, const struct dissection *before,
			    const uint8_t *frame, size_t *at, bool last)
{
	const struct dissection *after = &out->fields;
	const uint8_t *expected = frame + before->payload_offset + *at;
	size_t left = before->payload_length - *at;

	if (after->payload_length > left || (last && after->payload_length != left))
		return true;
	*at += after->payload_length;
	return memcmp(expected, out->bytes + after->payload_offset, after->payload_length) != 0;
}

/* The program's word on where the inner frame starts counts more than the dissector's. */
static struct inner_frame find_inner(const struct explanation *explanation)
{
	const struct capture_packet *packet = &explanation->packet;
	const struct dissection *outer = &explanation->outer;
	size_t offset = explanation->outcome.trace.inner_offset;
	size_t end = packet->captured;

	if (outer->inner_offset && (!offset || offset == outer->inner_offset)) {
		offset = outer->inner_offset;
		end = outer->payload_offset + outer->payload_length;
	}
	if (!offset || offset >= end)
		return (struct inner_frame){0};
	return (struct inner_frame){packet->bytes + offset, end - offset};
}

static bool program_lets_go(const struct datapath_outcome *outcome)
{
	return outcome->action == XDP_PASS || outcome->action == XDP_TX ||
	       outcome->action == XDP_REDIRECT;
}

static void dissect_outs(struct explanation *explanation, struct inner_frame inner,
			 uint16_t tunnel_port)
{
	const uint8_t *frame = inner.bytes;
	const struct dissection *before = &explanation->inner;
	size_t at = 0;

	if (!explain_forwarded(explanation) || !explanation->has_inner) {
		frame = explanation->packet.bytes;
		before = &explanation->outer;
	} else {
		tunnel_port = 0;
	}
	for (size_t i = 0; i < explanation->out_count; i++) {
		struct explain_out *out = &explanation->outs[i];

		out->bytes = explanation->outcome.frames[i].bytes;
		out->length = explanation->outcome.frames[i].length;
		dissect(&out->fields, out->bytes, out->length, tunnel_port);
		compare_fields(out, before);
		out->payload_changed =
			payload_differs(out, before, frame, &at, i + 1 == explanation->out_count);
	}
}

/* Returns 0 with `problem` set when it is the packet that cannot be run. */
static int explain_run(struct explanation *explanation, struct datapath *datapath,
		       struct error *error)
{
	const struct capture_packet *packet = &explanation->packet;
	int err;

	if (packet->captured < ETHERNET_HEADER) {
		snprintf(explanation->problem, sizeof(explanation->problem),
			 "%zu bytes are less than an Ethernet header", packet->captured);
		return 0;
	}
	err = datapath_run(datapath, packet->bytes, packet->captured, &explanation->outcome, error);
	if (err == -EMSGSIZE) {
		snprintf(explanation->problem, sizeof(explanation->problem), "%.159s", error->text);
		return 0;
	}
	return err;
}

int explain_packet(struct explanation *explanation, struct datapath *datapath,
		   const struct config *config, const struct rule_names *names,
		   const struct capture_packet *packet, struct error *error)
{
	struct inner_frame inner;
	int err;

	explanation->packet = *packet;
	explanation->problem[0] = '\0';
	explanation->outcome.trace = (struct trace){.vni = VNI_NONE};
	explanation->rule = NULL;
	explanation->out_count = 0;
	dissect(&explanation->outer, packet->bytes, packet->captured, config->listen.port);
	err = explain_run(explanation, datapath, error);
	if (err)
		return err;

	inner = find_inner(explanation);
	explanation->has_inner = inner.bytes;
	if (inner.bytes)
		dissect(&explanation->inner, inner.bytes, inner.length, 0);
	if (*explanation->problem)
		return 0;
	if (explanation->outcome.trace.rule - 1U < config->rule_count) {
		explanation->rule = &config->rules[explanation->outcome.trace.rule - 1];
		explanation->rule_name = names->of[explanation->outcome.trace.rule - 1];
	}
	if (program_lets_go(&explanation->outcome))
		explanation->out_count = explanation->outcome.frame_count;
	dissect_outs(explanation, inner, config->listen.port);
	return 0;
}

void explain_count(struct explain_totals *totals, const struct explanation *explanation)
{
	totals->packets++;
	if (!*explanation->problem) {
		totals->verdicts[explanation->outcome.trace.verdict]++;
		return;
	}
	if (!totals->not_run++) {
		totals->first_not_run = explanation->number;
		memcpy(totals->problem, explanation->problem, sizeof(totals->problem));
	}
}

bool explain_forwarded(const struct explanation *explanation)
{
	return explanation->out_count &&
	       verdict_class(explanation->outcome.trace.verdict) == VERDICT_CLASS_FORWARDED;
}

const char *explain_escape(const char *text, char *buffer, size_t size)
{
	size_t used = 0;

	for (; *text && used + 5 < size; text++) {
		if (*text >= ' ' && *text <= '~')
			buffer[used++] = *text;
		else
			used += (size_t)snprintf(buffer + used, size - used, "\\x%02x",
						 (unsigned char)*text);
	}
	buffer[used] = '\0';
	return buffer;
}
