/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sends VXLAN test traffic out of an interface: threads, each on a CPU of its own, make the kernel
 * run bpf/generate.bpf.c on frames that the kernel makes, at full speed or on a schedule.
 */
#ifndef GENERATE_GENERATOR_H
#define GENERATE_GENERATOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/generate.h"
#include "base/error.h"

/* What the packets look like. Addresses and ports in host order. */
struct generator_packet {
	uint8_t source_mac[6]; /* of the outer frame */
	uint8_t destination_mac[6];
	uint32_t source; /* outer */
	uint32_t destination;
	uint16_t port; /* outer destination port */
	uint32_t vni;  /* the first of `vnis` */
	uint32_t vnis;
	uint32_t inner_source;
	uint32_t inner_destination;
	uint16_t source_port; /* inner */
	uint16_t destination_port;
	uint32_t inner_size; /* IP total length, bytes */
	uint32_t flows;
	enum generate_vary vary;
	bool df;
};

#define GENERATOR_MAX_BATCH 256      /* the kernel's limit */
#define GENERATOR_MAX_PPS   20000000 /* of one thread; no kernel is near it */

struct generator_options {
	const char *interface;
	int ifindex;
	bool needs_program; /* give the interface an XDP program, which passes everything */
	struct generator_packet packet;
	uint64_t pps;         /* of all threads together; 0: as fast as possible */
	unsigned int seconds; /* 0: no limit */
	uint64_t count;       /* packets; 0: no limit */
	unsigned int threads;
	unsigned int batch; /* frames that the kernel prepares at once */
};

struct generator_report {
	uint64_t packets;
	uint64_t expected; /* with a rate: the packets that were due by the schedule */
	double seconds;
	double max_lag;       /* seconds: how late a paced packet was at most */
	bool kept_pace;       /* all expected packets were sent, and in time; true without a rate */
	uint64_t transmitted; /* packets that the interface counted as sent meanwhile */
};

/*
 * Sends until the count or the time is up, or *stop becomes nonzero. -ENXIO: nothing leaves the
 * interface. The report is filled whenever 0 is returned.
 */
int generator_run(const struct generator_options *options, const volatile sig_atomic_t *stop,
		  struct generator_report *report, struct error *error);

#endif
