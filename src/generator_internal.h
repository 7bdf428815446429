/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files generator*.c share. */
#ifndef GENERATOR_INTERNAL_H
#define GENERATOR_INTERNAL_H

#include "generator.h"

/* What one thread sends, ready for the program. */
struct generator_frame {
	struct generate_config config;
	uint8_t bytes
		[GENERATE_MAX_FRAME]; /* the frame of flow 0, varying fields and checksums zero */
	uint32_t length;
};

/* Which thread of which run it is for. */
struct generator_place {
	uint32_t run;
	uint16_t boot;
	uint16_t thread;
	uint16_t threads;
};

/* Pure. Flows are shared out among the threads, so that each belongs to one. */
void generator_frame_build(struct generator_frame *frame, const struct generator_packet *packet,
			   const struct generator_place *place, bool time_every_packet);

struct generator_program; /* loaded for one thread */

int generator_program_load(struct generator_program **program, const struct generator_frame *frame,
			   int ifindex, struct error *error);
/* Sends `packets`, or fewer if a signal comes; 0 or -errno. */
int generator_program_run(struct generator_program *program, uint32_t packets, uint32_t batch);
uint64_t generator_program_sent(const struct generator_program *program);
void generator_program_free(struct generator_program *program); /* NULL is allowed */

#endif
