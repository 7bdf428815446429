/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds perfect-hash tables for the datapath (bpf/pipeline.h, struct table; read by bpf/lookup.h):
 * every key gets a slot of its own. The method is hash and displace: keys are hashed into buckets;
 * for each bucket, the fullest first, the build searches a displacement that puts all its keys into
 * free slots.
 */
#ifndef RULES_PERFECT_HASH_H
#define RULES_PERFECT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/pipeline.h"

struct perfect_hash_layout {
	struct table geometry;
	uint64_t *displacements; /* packed, `displacement_words` of them; NULL with one bucket */
	size_t displacement_words;
	uint32_t *slot_of; /* slot_of[i]: the slot of key i */
	size_t slot_count; /* geometry.slots */
};

/* One perfect-hash table, ready to be copied into its two maps. */
struct perfect_hash_table {
	struct table geometry;
	uint64_t *displacements;
	size_t displacement_words; /* 0: the table has one bucket and needs none */
	void *slots;               /* struct nat4_slot, nat6_slot or vni_slot */
	size_t slot_size;
	size_t slot_count;
};

/*
 * `keys` holds `count` different keys of `words` words each. 0, -ENOMEM, or -EEXIST: no seed
 * separates all keys, as when two are equal.
 */
int perfect_hash_build(struct perfect_hash_layout *layout, const uint64_t *keys, size_t words,
		       size_t count);
void perfect_hash_layout_clear(struct perfect_hash_layout *layout);

/* Makes *table of the layout, with empty slots. The displacements move from the layout. */
int perfect_hash_take(struct perfect_hash_table *table, struct perfect_hash_layout *layout,
		      size_t slot_size);
void perfect_hash_clear(struct perfect_hash_table *table);

#endif
