/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of `generate` (generate.bpf.c sends, receive.bpf.c receives) share with user
 * space: the frame, the stamp in it, and what the receiver counts. Multi-byte fields are in host
 * order unless their type says __be: both ends have the same byte order, or the magic differs.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/types.h>
#include <linux/udp.h>

#include <stddef.h>

#include "latency.h"

#define GENERATE_MAGIC       0x56585047
#define GENERATE_MAX_THREADS 64
#define GENERATE_MAX_FLOWS   (1 << 20)

/*
 * The start of every inner UDP payload. `number` counts the packets of one sender thread from 0. It
 * also grows within a flow, since each flow belongs to one thread.
 */
struct generate_stamp {
	__u32 magic;
	__u32 run;    /* random, the same for one run of the sender */
	__u64 number; /* of the packet, within its thread */
	__u64 time;   /* CLOCK_MONOTONIC, ns; 0: this packet is not timed */
	__u32 flow;
	__u32 reserved;
	__u16 thread;
	__u16 boot; /* boot_id() of the sender: times of another kernel cannot be compared */
} __attribute__((packed));

/* The frame up to the stamp; the rest of the payload is the same in every frame. */
struct generate_head {
	struct ethhdr outer_ethernet;
	struct iphdr outer_ip;
	struct udphdr outer_udp;
	__be32 vxlan_flags;
	__be32 vxlan_vni; /* in the upper 24 bits */
	struct ethhdr inner_ethernet;
	struct iphdr ip;
	struct udphdr udp;
	struct generate_stamp stamp;
} __attribute__((packed));

/* Bytes before the inner IP header: from the start of the frame, and of the outer IP packet. */
#define GENERATE_ENCAPSULATION offsetof(struct generate_head, ip)
#define GENERATE_OVERHEAD      (GENERATE_ENCAPSULATION - sizeof(struct ethhdr))
#define GENERATE_HEAD_WORDS    (sizeof(struct generate_head) / 8)
#define GENERATE_MIN_INNER \
	(sizeof(struct iphdr) + sizeof(struct udphdr) + sizeof(struct generate_stamp))
/* The most that fits the page in which the kernel makes a frame; _OLD: before Linux 6.3. */
#define GENERATE_MAX_FRAME     3408
#define GENERATE_MAX_FRAME_OLD 3368

/* Which field tells the flows apart: flow N has the value of the first one plus N. */
enum generate_vary {
	GENERATE_VARY_SOURCE,
	GENERATE_VARY_DESTINATION,
	GENERATE_VARY_SOURCE_PORT,
	GENERATE_VARY_DESTINATION_PORT,
};

/* Constants of the sending program; every thread loads its own. */
struct generate_config {
	__u64 head[GENERATE_HEAD_WORDS]; /* struct generate_head, varying fields as in flow 0 */
	__u32 rest;                      /* bytes behind the head */
	__u32 source;                    /* inner address of flow 0 */
	__u32 destination;
	__u16 source_port;
	__u16 destination_port;
	__u32 vary; /* enum generate_vary */
	__u32 first_flow;
	__u32 flows;
	__u32 vni; /* the first; packet N has VNI `vni` + N % `vnis` */
	__u32 vnis;
	__u32 ip_sum;    /* of the inner IP header without ID and addresses, not folded */
	__u32 udp_sum;   /* of pseudo-header, UDP header and payload without varying fields */
	__u32 fixed_id;  /* 1: the inner ID is 0 in every packet, as DF is set */
	__u32 time_mask; /* packets are timed if their number has none of these bits */
	__u32 reserved;
};

/* The state of the sending program. `number`: how many packets it has sent. */
struct generate_state {
	__u64 number;
	__u32 flow;
	__u32 vni;
};

/*
 * How the receiver recognizes duplicates and losses: numbers go round the slots, and each slot
 * holds the lap, counted from 1, on which a number last used it. A packet that is late by more than
 * all slots counts as reordered.
 */
#define RECEIVE_SLOTS 65536 /* of one sender thread */

/* The latest first fragments, by which later fragments are recognized; index: ID modulo this. */
#define RECEIVE_FRAGMENTS 64

struct receive_fragment {
	__be32 source;
	__be32 destination;
	__be16 id;
	__u8 valid;
	__u8 reserved;
};

/* What was received of one sender thread. */
struct receive_thread {
	__u64 unique; /* packets, without duplicates */
	__u64 end;    /* highest number, plus 1; 0: nothing was received */
	__u64 first;  /* lowest number, if end is not 0 */
};

/* The value of map `counts`, one for each CPU. */
struct receive_counts {
	__u64 packets; /* stamped packets of this run, with duplicates */
	__u64 bytes;   /* of their frames */
	__u64 duplicates;
	__u64 reordered;    /* came after a later packet of their flow (RFC 4737) */
	__u64 encapsulated; /* those of `packets` that were still in the tunnel */
	__u64 other_runs;   /* stamped packets of other runs than the first one seen */
	__u64 first_fragments;
	__u64 later_fragments;
	__u64 other_clock; /* packets timed by another kernel */
	__u64 first_seen;  /* CLOCK_MONOTONIC, ns; of timed packets only; 0: none */
	__u64 last_seen;
	__u64 latency_sum; /* ns */
	__u64 latency_min; /* if any bucket is not 0 */
	__u64 latency_max;
	__u64 latency[LATENCY_BUCKETS];
	struct receive_thread thread[GENERATE_MAX_THREADS];
	struct receive_fragment fragment[RECEIVE_FRAGMENTS];
};

/* Constants of the receiving program. */
struct receive_config {
	__be16 port; /* of the tunnel */
	__u16 boot;
	__u8 pass; /* hand stamped packets on; drop them otherwise */
	__u8 reserved[3];
};

#define GENERATE_SIZE_IS(type, size) _Static_assert(sizeof(type) == (size), #type)
GENERATE_SIZE_IS(struct generate_stamp, 36);
GENERATE_SIZE_IS(struct generate_head, 128);
GENERATE_SIZE_IS(struct generate_state, 16);
GENERATE_SIZE_IS(struct receive_fragment, 12);
GENERATE_SIZE_IS(struct receive_config, 8);

#endif
