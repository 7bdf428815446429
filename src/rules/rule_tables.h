/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes the datapath's lookup tables from rules and VNIs. Pure: no I/O, no kernel. */
#ifndef RULES_RULE_TABLES_H
#define RULES_RULE_TABLES_H

#include <stddef.h>

#include "config/config.h"
#include "rules/perfect_hash.h"

/*
 * The counters of one CPU begin at a multiple of so many, which are whole pairs of lines of a cache: a CPU that counts takes
 * its line, and maybe the one beside it, away from the others.
 */
#define COUNTERS_STEP 16

struct rule_tables {
	struct perfect_hash_table ipv4;
	size_t ipv4_rules;
	struct nat4_slot ipv4_only; /* the rule, if it is the only one; or the only target */
	uint8_t ipv4_lower; /* nat4_fold(); 0: keys are not folded, and there is none of these: */
	uint8_t ipv4_upper;
	uint64_t *ipv4_keys;              /* folded, by slot */
	uint16_t *ipv4_target_of;         /* index in ipv4_targets, by slot */
	struct nat4_target *ipv4_targets; /* each once */
	size_t ipv4_target_count;
	struct perfect_hash_table ipv6;
	struct nat4_shape ipv4_shapes[PIPELINE_MAX_SHAPES];
	struct nat6_shape ipv6_shapes[PIPELINE_MAX_SHAPES];
	size_t ipv4_shape_count;
	size_t ipv6_shape_count;
	struct ip_address *targets; /* each address once; next_hop is an index into them */
	size_t target_count;
	size_t counter_count; /* of each CPU in map `rule_hits` */
	size_t ipv4_counters; /* the first one of an IPv4 rule there */
};

/*
 * 0, -ENOMEM, -E2BIG: more than PIPELINE_MAX_SHAPES different shapes of one family, or -EEXIST: two
 * rules match the same packets (which validation refuses).
 */
int rule_tables_build(struct rule_tables *tables, const struct nat_rule *rules, size_t count);
void rule_tables_clear(struct rule_tables *tables);

/* The table of listed VNIs: the index of a VNI's counters is its place in `vnis`. */
int vni_table_build(struct perfect_hash_table *table, const uint32_t *vnis, size_t count);

#endif
