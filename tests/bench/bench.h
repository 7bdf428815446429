/* SPDX-License-Identifier: GPL-2.0-only */
/* What the bench's programs share with the helpers that load them. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

#include "bpf/latency.h"

/*
 * Offsets in the bench's frames: Ethernet, IPv4, UDP, VXLAN, Ethernet, IPv4, UDP. frame() in
 * tests/bench/ground.py makes them.
 */
#define BENCH_ETHERTYPE  12 /* within an Ethernet header */
#define BENCH_ETHERNET   14
#define BENCH_VNI        46 /* the upper 24 bits of this word */
#define BENCH_INNER      50 /* inner Ethernet header */
#define BENCH_IP         64 /* inner IPv4 header */
#define BENCH_IP_CHECK   (BENCH_IP + 10)
#define BENCH_IP_SOURCE  (BENCH_IP + 12)
#define BENCH_IP_TARGET  (BENCH_IP + 16)
#define BENCH_UDP        84
#define BENCH_UDP_SOURCE BENCH_UDP
#define BENCH_UDP_TARGET (BENCH_UDP + 2)
#define BENCH_UDP_CHECK  (BENCH_UDP + 6)
#define BENCH_HEAD_WORDS 12 /* of 8 bytes: all headers */
#define BENCH_MAX_FRAME  3408

/* The rule of the bench, which every peer applies: packets of this source port go to the target. */
#define BENCH_PORT        4789
#define BENCH_RULE_PORT   42844
#define BENCH_TARGET      0x0a140002 /* 10.20.0.2 */
#define BENCH_TARGET_PORT 8081

/* Constants of the sending program. */
struct source_config {
	__u64 head[BENCH_HEAD_WORDS]; /* the frame's headers, for flow 0 and the first VNI */
	__u32 source;                 /* inner address of flow 0, host order */
	__u32 vni;                    /* the first */
	__u32 ip_sum;                 /* of the inner IP header without the source, unfolded */
	__u32 flows;                  /* number of inner sources, which are consecutive */
	__u32 vnis;
	/* Distance from one to the next, so that neighbours do not come in a row. */
	__u32 flow_stride;
	__u32 vni_stride;
	__u32 flow_mask; /* all ones; 0: always the same flow, at the same cost */
	__u32 vni_mask;
	__u32 reserved;
};

/* The value of the sink's map, one for each CPU. */
struct sink_count {
	__u64 packets;
	__u64 bytes;
	__u64 first; /* CLOCK_MONOTONIC of the first packet, ns; 0: none came */
};

/* The run times of a program, one for each CPU. */
struct timing {
	__u64 started;                 /* ns; 0: not running */
	__u64 clock;                   /* the shortest time for reading the clock, ns */
	__u64 bucket[LATENCY_BUCKETS]; /* see bpf/latency.h */
};

#endif
