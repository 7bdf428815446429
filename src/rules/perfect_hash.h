/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds perfect-hash tables for the datapath (bpf/pipeline.h, struct table; read by bpf/lookup.h):
 * every key gets a slot of its own. The method is hash and displace: keys fall into buckets, and
 * bucket by bucket, the fullest first, a displacement is searched that puts all its keys into slots
 * still free.
 */
#ifndef RULES_PERFECT_HASH_H
#define RULES_PERFECT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/pipeline.h"

struct table_layout {
	struct table geometry;
	uint64_t *displacements; /* packed, `displacement_words` of them; NULL with one bucket */
	size_t displacement_words;
	uint32_t *slot_of; /* slot_of[i]: the slot of key i */
	size_t slot_count; /* geometry.slot_mask + 1 */
};

/*
 * `keys` holds `count` different keys of `words` words each. 0, -ENOMEM, or -EEXIST: no seed puts
 * them apart, as when two are equal.
 */
int table_build(struct table_layout *layout, const uint64_t *keys, size_t words, size_t count);
void table_clear(struct table_layout *layout);

#endif
