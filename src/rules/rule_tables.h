/* SPDX-License-Identifier: GPL-2.0-only */
/* From rules and VNIs to the lookup tables of the datapath. Pure: no I/O, no kernel. */
#ifndef RULES_RULE_TABLES_H
#define RULES_RULE_TABLES_H

#include <stddef.h>

#include "config/config.h"

/* One perfect-hash table, ready to be copied into its two maps. */
struct lookup_table {
	struct table geometry;
	uint64_t *displacements;
	size_t displacement_words; /* 0: the table has one bucket and needs none */
	void *slots;               /* struct nat4_slot, nat6_slot or vni_slot */
	size_t slot_size;
	size_t slot_count;
};

struct nat_tables {
	struct lookup_table ipv4;
	size_t ipv4_rules;
	struct nat4_slot ipv4_only; /* with one IPv4 rule: it */
	struct lookup_table ipv6;
	struct nat4_shape ipv4_shapes[PIPELINE_MAX_SHAPES];
	struct nat6_shape ipv6_shapes[PIPELINE_MAX_SHAPES];
	size_t ipv4_shape_count;
	size_t ipv6_shape_count;
	struct ip_address *targets; /* different ones; a slot's next_hop is an index into them */
	size_t target_count;
};

/*
 * 0, -ENOMEM, -E2BIG: more than PIPELINE_MAX_SHAPES different shapes of one family, or -EEXIST: two
 * rules match on the same (which validation has refused).
 */
int nat_tables_build(struct nat_tables *tables, const struct nat_rule *rules, size_t count);
void nat_tables_clear(struct nat_tables *tables);

/* The table of listed VNIs: the index of a VNI's counters is its place in `vnis`. */
int vni_table_build(struct lookup_table *table, const uint32_t *vnis, size_t count);
void lookup_table_clear(struct lookup_table *table);

#endif
