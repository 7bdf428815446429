/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A random configuration, as the fuzzer and its model see it. Nothing here uses the product's own
 * types: the product gets the configuration as YAML.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>
#include <stdio.h>

#include "random.h"

#define SCENARIO_RULES   1024
#define SCENARIO_VNIS    256
#define SCENARIO_SOURCES 8
#define SCENARIO_POOL    8 /* addresses, ports and VNIs that rules and packets are made of */
#define NEVER            UINT32_MAX

#define SCENARIO_ONE_BUFFER 3520 /* bytes of a longer frame come in several buffers */

struct network {
	uint8_t version; /* 4 or 6; 0: everything */
	uint8_t length;
	uint8_t address[16];
};

struct scenario_rule {
	struct network source, destination;
	uint8_t protocol; /* 6, 17; 0: both */
	int source_port;  /* -1: any */
	int destination_port;
	int64_t vni;        /* -1: any */
	uint8_t to_version; /* 4 or 6 */
	uint8_t to[16];
	uint16_t to_port; /* 0: the port stays */
	uint32_t name;    /* 0: it has none */
};

enum scenario_next_hop { BY_ROUTE, BY_KEEPING, BY_MAC };
enum scenario_oversize { CUT_OVERSIZE, PASS_OVERSIZE, DROP_OVERSIZE };
enum scenario_fallback { DROP_IT, PASS_IT, FORWARD_IT };
enum scenario_checksum { UPDATE_CHECKSUM, ZERO_CHECKSUM, PRESERVE_CHECKSUM };

struct scenario {
	/* the configuration */
	uint16_t port;
	bool any_vni;
	uint32_t vnis[SCENARIO_VNIS];
	size_t vni_count;
	struct network sources[SCENARIO_SOURCES];
	size_t source_count; /* 0: all */
	bool generic;
	bool single_arm;
	enum scenario_next_hop next_hop;
	uint8_t next_hop_mac[6];
	uint32_t mtu; /* 0: the interface's */
	enum scenario_oversize oversize;
	enum scenario_fallback unmatched;
	struct scenario_rule rules[SCENARIO_RULES];
	size_t rule_count;
	uint32_t clear_df_above; /* or NEVER */
	enum scenario_checksum udp_checksum;
	enum scenario_fallback truncated;

	/* options of loading the program, which are not in the configuration */
	bool multi_buffer;
	bool rings_each;
	bool known_hops; /* with BY_ROUTE: a daemon has found the ways to most targets */

	/* values that rules and packets are made of, so that rules match packets */
	uint8_t addresses4[SCENARIO_POOL][4];
	uint8_t addresses6[SCENARIO_POOL][16];
	uint16_t ports[SCENARIO_POOL];
	uint32_t pool_vnis[SCENARIO_POOL];
};

void scenario_draw(struct scenario *scenario, uint64_t seed);
/* Remove a rule or source that the product refuses: it can never match, or is there twice. */
void scenario_drop_rule(struct scenario *scenario, size_t index);
void scenario_drop_source(struct scenario *scenario, size_t index);
void scenario_print(const struct scenario *scenario, FILE *stream);

#endif
