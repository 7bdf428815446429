// SPDX-License-Identifier: GPL-2.0-only
#include "observe/sent.h"

/* Headers that each fragment but the first adds: Ethernet and IPv4 without options, in bytes. */
#define FRAGMENT_HEADERS (14 + 20)

static const enum verdict leaving[] = {VERDICT_REDIRECTED, VERDICT_TRANSMITTED, VERDICT_FRAGMENTED,
				       VERDICT_PASSED};

struct sent sent_derive(const struct counters *counters)
{
	uint64_t fragmented = counters->verdict[VERDICT_FRAGMENTED].packets, frames = 0, more;
	struct sent sent = {.fragments = counters->fragments};

	for (unsigned int i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++) {
		frames += counters->verdict[leaving[i]].packets;
		sent.bytes += counters->verdict[leaving[i]].bytes;
	}
	more = sent.fragments - fragmented;
	sent.packets = frames + more;
	sent.bytes += more * FRAGMENT_HEADERS - frames * USUAL_TUNNEL - counters->cut_bytes;
	return sent;
}
