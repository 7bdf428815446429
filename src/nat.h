/* SPDX-License-Identifier: GPL-2.0-only */
/* From rules to the lookup tables of the datapath. Pure: no I/O, no kernel. */
#ifndef NAT_H
#define NAT_H

#include <stddef.h>

#include "config.h"

/* One perfect-hash table as two arrays, ready to be copied into maps. */
struct nat_tables {
	struct {
		struct table geometry;
		struct nat4_shape *shapes;
		size_t shape_count;
		uint16_t *displacements; /* geometry.bucket_mask + 1 */
		struct nat4_slot *slots; /* geometry.slot_mask + 1 */
	} ipv4;
	struct {
		struct table geometry;
		struct nat6_shape *shapes;
		size_t shape_count;
		uint16_t *displacements;
		struct nat6_slot *slots;
	} ipv6;
};

/* 0, -ENOMEM, or -E2BIG: more than PIPELINE_MAX_SHAPES different shapes of one family. */
int nat_tables_build(struct nat_tables *tables, const struct nat_rule *rules, size_t count);
void nat_tables_clear(struct nat_tables *tables);

#endif
