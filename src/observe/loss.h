/* SPDX-License-Identifier: GPL-2.0-only */
/* Where packets are lost, all places in one table: the NIC, the way out, the program. */
#ifndef OBSERVE_LOSS_H
#define OBSERVE_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "datapath/datapath.h"

/*
 * The places, in the order in which a packet passes them. X(enumerator, name, meaning)
 * What the mirrored host did not mirror, AWS counts: see LOSS_AT_THE_SOURCE.
 */
#define LOSS_PLACES(X)                                                           \
	X(NIC, nic, "lost at the network interface, since it came up")           \
	X(PROGRAM, program, "dropped by the program: its verdict")               \
	X(TRANSMIT, transmit, "sent by the program, and refused on the way out") \
	X(KERNEL, kernel, "passed to the kernel by the program, and dropped there")

enum loss_place {
#define X(upper, name, meaning) LOSS_PLACE_##upper,
	LOSS_PLACES(X)
#undef X
		LOSS_PLACE_COUNT
};

#define LOSS_AT_THE_SOURCE                                                           \
	"the mirrored host's own losses are not seen from here: CloudWatch metrics " \
	"NetworkPacketsSkipMirrorIn and NetworkPacketsSkipMirrorOut of the mirrored instance"

struct loss_row {
	enum loss_place place;
	char interface[16]; /* of the NIC; else empty */
	char reason[40];    /* a verdict, a driver's statistic, or one of enum loss */
	uint64_t packets;
	const char *meaning;
};

/* What is left of ENA's allowance of tracked connections, from which no packet is lost yet. */
struct loss_allowance {
	char interface[16];
	uint64_t connections;
};

#define LOSS_MAX_ALLOWANCES 2 /* of listen.interface and forward.interface */

struct loss_table {
	struct loss_row *rows;
	size_t count;
	struct loss_allowance allowances[LOSS_MAX_ALLOWANCES];
	size_t allowance_count; /* 0: of drivers that have none */
};

const char *loss_place_name(enum loss_place place);
enum loss_place loss_place_of(enum loss loss);

/* 0 or -errno. An interface that is gone has no rows. loss_table_clear() is always due. */
int loss_collect(struct loss_table *table, const struct counters *counters,
		 const struct datapath_condition *condition, struct error *error);
void loss_table_clear(struct loss_table *table);

json_t *loss_json(const struct loss_table *table); /* NULL: no memory */

#endif
