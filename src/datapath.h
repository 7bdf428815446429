/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs and maps in the kernel. datapath.c is the only file that knows libbpf.
 *
 * A generation is one loaded program with the tables that belong to it: what one configuration
 * means. An instance is what is pinned below /sys/fs/bpf/vxlan-pipeline/NAME: links, counters and
 * the generation in force.
 */
#ifndef DATAPATH_H
#define DATAPATH_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "error.h"

/* The interfaces of a configuration as the kernel has them now. */
struct datapath_links {
	int listen_ifindex;
	int egress_ifindex; /* the same in single-arm mode */
	uint8_t listen_mac[6];
	uint8_t egress_mac[6];
	uint32_t egress_mtu; /* of the interface, in bytes */
};

struct datapath; /* a generation that this process has loaded */

/*
 * Loads a program and its tables; nothing is attached, nothing that runs changes. `instance` names
 * the instance whose counters it goes on counting in, NULL makes it count in its own.
 * `trace` makes datapath_run() tell what happened.
 */
int datapath_load(struct datapath **datapath, const struct config *config,
		  const struct datapath_links *links, const char *instance, bool trace,
		  struct error *error);
void datapath_free(struct datapath *datapath); /* NULL is allowed */

/* What the program made of one frame. */
struct datapath_outcome {
	struct trace trace;
	uint32_t action; /* XDP action */
	size_t length;   /* of the frame that left the program, in the caller's buffer */
};

#define DATAPATH_MAX_FRAME 3520 /* bytes that BPF_PROG_RUN takes in one buffer */

/*
 * Runs the program once on a frame as if it had come in on listen_ifindex. `out` holds
 * DATAPATH_MAX_FRAME bytes. Needs trace. -EMSGSIZE: longer than the kernel takes; -EINVAL: shorter
 * than an Ethernet header.
 */
int datapath_run(struct datapath *datapath, const void *frame, size_t length, void *out,
		 struct datapath_outcome *outcome, struct error *error);

#endif
