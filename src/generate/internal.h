/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that send share. Inside generate/ only. */
#ifndef GENERATE_INTERNAL_H
#define GENERATE_INTERNAL_H

#include <pthread.h>

#include "generate/generator.h"

/* The frame of one thread, as the program needs it. */
struct generator_frame {
	struct generate_config config;
	uint8_t bytes
		[GENERATE_MAX_FRAME]; /* the frame of flow 0, varying fields and checksums zero */
	uint32_t length;
};

/* The run and the thread that a frame is for. */
struct generator_place {
	uint32_t run;
	uint16_t boot;
	uint16_t thread;
	uint16_t threads;
};

/* Pure. Flows are shared out among the threads, so that each belongs to one. */
void generator_frame_build(struct generator_frame *frame, const struct generator_packet *packet,
			   const struct generator_place *place, bool time_every_packet);

/* Explains why the kernel did not load a program that Linux takes since `version`. */
int generator_explain_load(int err, const char *program, const char *version, struct error *error);

struct generator_program; /* loaded for one thread */

int generator_program_load(struct generator_program **out, const struct generator_frame *frame,
			   int ifindex, struct error *error);
/* Attaches a program that passes everything to the interface, until the program is freed. */
int generator_program_open_egress(struct generator_program *program, int ifindex);
/* Sends `packets`, or fewer if a signal comes; 0 or -errno. */
int generator_program_run(struct generator_program *program, uint32_t packets, uint32_t batch);
uint64_t generator_program_sent(const struct generator_program *program);
void generator_program_free(struct generator_program *program); /* NULL is allowed */

/* One run of the generator, which its threads share. */
struct generator_job {
	const struct generator_options *options;
	const volatile sig_atomic_t *stop;
	bool halt;          /* something has failed: all threads end; atomic */
	uint64_t start;     /* CLOCK_MONOTONIC, ns */
	uint64_t duration;  /* ns; UINT64_MAX: no limit */
	uint64_t tx_before; /* the interface's count of sent packets */
};

/* One thread. */
struct generator_sender {
	pthread_t thread;
	bool started;
	bool done; /* atomic */
	unsigned int index;
	struct generator_job *job;
	struct generator_program *program;
	uint64_t quota; /* packets to send at most */
	uint64_t sent;
	uint64_t expected; /* by the schedule */
	uint64_t max_lag;  /* ns */
	uint64_t end;      /* CLOCK_MONOTONIC, ns */
	bool late;         /* could not send what was due */
	int err;
};

#define GENERATOR_SECOND 1000000000ULL

uint64_t generator_now(void); /* CLOCK_MONOTONIC, ns */
void generator_halt(struct generator_job *job);
/* What a thread does from job->start on, until it is done. */
void generator_sender_work(struct generator_sender *sender);

#endif
