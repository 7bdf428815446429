/* SPDX-License-Identifier: GPL-2.0-only */
/* What the bench's programs share with the helpers that load them. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

#include "bpf/latency.h"

/*
 * The frames of the bench: what stands where in 98 bytes and more of Ethernet, IPv4, UDP, VXLAN,
 * Ethernet, IPv4, UDP. tests/bench/traffic.py makes them.
 */
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

/* What every peer does to the packets of this source port: the rule of the bench. */
#define BENCH_PORT        4789
#define BENCH_RULE_PORT   42844
#define BENCH_TARGET      0x0a140002 /* 10.20.0.2 */
#define BENCH_TARGET_PORT 8081

/* Constants of the sending program. */
struct source_config {
	__u64 head[BENCH_HEAD_WORDS]; /* of the frame, as flow 0 and the first VNI have it */
	__u32 source;                 /* inner address of flow 0, host order */
	__u32 vni;                    /* the first */
	__u32 ip_sum;                 /* of the inner IP header without its source, not folded */
	__u32 flows;                  /* inner sources, counted up from the first */
	__u32 vnis;
	/* In this order: the next is so many further on, so that they do not come in a row. */
	__u32 flow_stride;
	__u32 vni_stride;
	__u32 flow_mask; /* all ones; 0: the same flow every time, for the same work */
	__u32 vni_mask;
	__u32 reserved;
};

/* The value of the sink's map, one for each CPU. */
struct sink_count {
	__u64 packets;
	__u64 bytes;
	__u64 first; /* CLOCK_MONOTONIC of the first packet, ns; 0: none came */
};

/* How long a program took, one for each CPU. */
struct timing {
	__u64 started;                 /* ns; 0: not running */
	__u64 clock;                   /* the shortest that reading the clock took, ns */
	__u64 bucket[LATENCY_BUCKETS]; /* see bpf/latency.h */
};

#endif
