/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs and maps in the kernel. Only the files datapath_*.c know libbpf.
 *
 * A generation is one loaded program with the tables that belong to it: what one configuration
 * means. An instance is what is pinned below /sys/fs/bpf/vxlan-pipeline/NAME: links, counters and
 * the generation in force.
 */
#ifndef DATAPATH_H
#define DATAPATH_H

#include <stdbool.h>
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
int datapath_load(struct datapath **out, const struct config *config,
		  const struct datapath_links *links, const char *instance, bool trace,
		  struct error *error);
void datapath_free(struct datapath *datapath); /* NULL is allowed; what is pinned stays */

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

/* How a datapath came to be attached. */
struct datapath_attached {
	bool generic;      /* in generic XDP mode */
	bool adopted;      /* it replaced the program of an earlier daemon */
	char warning[512]; /* why generic, or what else the operator should know; empty: nothing */
};

/*
 * Puts a loaded generation in force: pins it, swaps it into the instance's link (or attaches and
 * pins a new one), carries the counters over and removes the generation before. On failure
 * everything is as it was. `names` are those of the interfaces.
 */
int datapath_commit(struct datapath *datapath, const char *instance, const struct config *config,
		    struct datapath_attached *attached, struct error *error);

/* Detaches and removes all kernel state of the instance. -ENOENT: there was none. */
int datapath_remove(const char *instance, struct error *error);

/* Is the instance's program on its interface? */
enum datapath_state {
	DATAPATH_ABSENT,   /* nothing pinned */
	DATAPATH_DETACHED, /* pinned, but the link holds no interface, or not our program */
	DATAPATH_ATTACHED,
};

/* What is pinned of an instance, read whole. */
struct datapath_stats {
	enum datapath_state state;
	struct instance_info info;
	struct counters counters; /* all CPUs together */
	struct datapath_vni {
		uint32_t vni;
		struct hits hits;
	} * vnis; /* in ascending order */
	size_t vni_count;
	struct datapath_rule {
		__u64 key[5]; /* what it matches, as in the lookup tables; unused words are 0 */
		__u64 mask[5];
		struct ip_endpoint to;
		struct hits hits;
	} * rules; /* rules[0] is rule 1 */
	size_t rule_count;
};

/* 0 and state DATAPATH_ABSENT when nothing is pinned; -EACCES and others when it cannot be read. */
int datapath_read(const char *instance, struct datapath_stats *stats, struct error *error);
/* Only the counters and what the instance says of itself; -ENOENT when nothing is pinned. */
int datapath_read_counters(const char *instance, struct counters *counters,
			   struct instance_info *info, struct error *error);
void datapath_stats_clear(struct datapath_stats *stats);

/* libbpf's and the verifier's own words go to this function from now on; NULL: nowhere. */
void datapath_set_debug(void (*print)(const char *line));

#endif
