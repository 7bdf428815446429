/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What losses.bpf.c shares with user space. It counts packets that the datapath tried to send and
 * that did not leave, and packets that it passed to the kernel and that the kernel dropped.
 * Multi-byte fields are in host order.
 */
#ifndef LOSSES_H
#define LOSSES_H

#include <linux/types.h>

/*
 * How such packets are lost. X(enumerator, name, place, meaning): the enumerator is the index of map
 * `losses`; JSON, metrics and documentation use the name; `place` is one of enum loss_place without its
 * prefix (src/observe/loss.h).
 */
#define PIPELINE_LOSSES(X)                                                                      \
	X(REDIRECT, redirect_failed, TRANSMIT, "refused before the queue of forward.interface") \
	X(SEND, send_failed, TRANSMIT, "not taken by the driver of forward.interface")          \
	X(TRANSMIT, transmit_failed, TRANSMIT,                                                  \
	  "not taken by the driver of listen.interface, single-arm")                            \
	X(PASSED, passed_dropped, KERNEL, "passed to the kernel, which dropped them")

enum loss {
#define X(upper, name, place, meaning) LOSS_##upper,
	PIPELINE_LOSSES(X)
#undef X
		LOSS_COUNT
};

/* The value of map `losses`, one for each CPU and enum loss. */
struct loss_count {
	__u64 packets;
	__u64 last_at; /* CLOCK_MONOTONIC, ns */
	__s32 error;   /* of the last loss, a negative errno; 0: the kernel did not say */
	__u32 reserved;
};

/* The value of map `watched`, written by user space: whose packets are counted. */
struct loss_watch {
	__u32 netns; /* inode number of the network namespace */
	__u32 listen_ifindex;
	__u32 egress_ifindex;
	__u32 pass_mark; /* the mark of packets passed to the kernel; 0: do not count them */
	/* numbers of the maps of threads that fragment (maps.h), of this generation and the one before */
	__u32 cutters[2];
};

#endif
