/* SPDX-License-Identifier: GPL-2.0-only */
/* What the program did with one packet, ready to be told: text.c and json.c tell it. */
#ifndef EXPLAIN_EXPLAIN_H
#define EXPLAIN_EXPLAIN_H

#include "explain/capture.h"
#include "datapath/datapath.h"
#include "explain/dissect.h"

#define EXPLAIN_PROBLEM 160

/* A field that is another one on the way out. `from` or `to` is NULL where the field is not there. */
struct explain_change {
	const struct dissect_field *from;
	const struct dissect_field *to;
};

/* A frame that leaves. */
struct explain_out {
	const uint8_t *bytes; /* in the outcome's frames */
	size_t length;
	struct dissection fields;
	struct explain_change changes[2 * DISSECT_MAX_FIELDS];
	size_t change_count;
	bool payload_changed; /* a defect of the program, if it is ever true */
};

struct explanation {
	uint64_t number; /* from 1 */
	struct capture_packet packet;
	char problem
		[EXPLAIN_PROBLEM]; /* why it was not run; empty: it was, and what follows holds */
	struct datapath_outcome outcome;
	const struct nat_rule *rule; /* NULL: none */
	const char *rule_name;
	struct dissection outer; /* holds even if the packet was not run */
	struct dissection inner; /* with has_inner */
	bool has_inner;
	size_t out_count; /* 0: nothing leaves; the kernel gets one untouched with VERDICT_CLASS_KERNEL */
	struct explain_out outs[MAX_FRAGMENTS]; /* more than one: fragments, in order */
};

struct explain_totals {
	uint64_t packets;
	uint64_t not_run;
	uint64_t first_not_run; /* its number, and its problem */
	char problem[EXPLAIN_PROBLEM];
	uint64_t verdicts[VERDICT_COUNT];
};

/*
 * Runs the packet and fills *explanation, of which only `number` must be set before. What makes the
 * packet unfit to be run is its `problem`; any other failure is returned.
 */
int explain_packet(struct explanation *explanation, struct datapath *datapath,
		   const struct config *config, const struct rule_names *names,
		   const struct capture_packet *packet, struct error *error);

void explain_count(struct explain_totals *totals, const struct explanation *explanation);

/* Decapsulated and on its way: what -w writes. */
bool explain_forwarded(const struct explanation *explanation);

/* `text` with everything that is not printable ASCII as \xNN. Returns `buffer`. */
const char *explain_escape(const char *text, char *buffer, size_t size);

#endif
