/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Constants that stand in the instructions of the usual way (usual.h). A field of `config` takes an instruction for its
 * address, one to load it, and a cache line; each of these takes one instruction. The compiler puts a placeholder in,
 * and user space puts the value in its place before the kernel sees the program (src/datapath/constants.c). What is read
 * seldom, or is an array, stays in `config`.
 */
#ifndef CONSTANTS_H
#define CONSTANTS_H

/* X(name, meaning). The bits of headers and keys are as a little-endian CPU loads them from a frame. */
#define PIPELINE_CONSTANTS(X)                                                             \
	X(USUAL, "1: the configuration has a usual way")                                  \
	X(PORT, "UDP port of the tunnel, as in the frame")                                \
	X(VXLAN_MASK, "bits of the VXLAN header that are compared")                       \
	X(VXLAN, "what they have to be")                                                  \
	X(ONE_VNI, "1: there is one VNI, and VXLAN holds it")                             \
	X(CHECK_SOURCES, "1: not every source may send")                                  \
	X(LONGEST_FRAME, "bytes of the longest frame whose packet leaves as it is")       \
	X(LONGEST_CUT, "bytes of the longest frame whose packet is cut here; 0: none is") \
	X(TRIMMING, "what the upper half of counters.trimming has to be")                 \
	X(CLEAR_DF_ABOVE, "bytes of an IP packet above which DF is cleared")              \
	X(PLAIN, "1: the usual way is the plain one: usual_way()")                        \
	X(ONE_RULE, "1: there is one IPv4 rule, and no table is asked")                   \
	X(ONE_SHAPE, "1: there are several, and all match on the same key bits")          \
	X(TABLE_SEED, "struct table of the IPv4 rules")                                   \
	X(TABLE_BUCKET_MASK, "")                                                          \
	X(TABLE_SLOTS, "")                                                                \
	X(FIRST_COUNTER, "a CPU's counter of the one rule, or of the first slot")         \
	X(COUNTERS_PER_CPU, "how many counters of rules each CPU has")                    \
	X(FOLD_LOWER, "nat4_fold() of keys; 0: they are not folded")                      \
	X(FOLD_UPPER, "")                                                                 \
	X(ONE_TARGET, "1: keys are folded, and all IPv4 rules have the same target")      \
	X(ONE_HOP, "1: all of them have the next hop in only_hop")                        \
	X(SHAPE_MASK0, "the key bits that the first shape matches on")                    \
	X(SHAPE_MASK1, "")                                                                \
	X(RULE_KEY0, "what they have to be for the one rule")                             \
	X(RULE_KEY1, "")                                                                  \
	X(RULE_UDP, "1: the only rule matches UDP packets of the one VNI")                \
	X(RULE_TCP, "the same for TCP")                                                   \
	X(RULE_ADDRESSES, "1: it matches on addresses")                                   \
	X(RULE_PORTS_MASK, "the lower halves of SHAPE_MASK1 and RULE_KEY1")               \
	X(RULE_PORTS, "")                                                                 \
	X(UDP_UPDATE, "1: checksums of UDP are kept right")                               \
	X(ROUTED, "1: the next hop is the route's to the target")                         \
	X(SINGLE_ARM, "1: frames leave where they came in")                               \
	X(TRANSMIT, "1: and by XDP_TX")                                                   \
	X(DROP_UNMATCHED, "1: what no rule matches is dropped")                           \
	X(CHECK_BUFFERS, "1: a frame may be in several buffers")                          \
	X(HISTOGRAMS, "1: sizes and times are counted")                                   \
	X(TRACE, "1: for `explain`")

enum constant {
#define X(name, meaning) CONSTANT_##name,
	PIPELINE_CONSTANTS(X)
#undef X
		CONSTANT_COUNT
};

/* The upper half of a placeholder; the lower one is enum constant. */
#define CONSTANT_PLACEHOLDER 0x56585043
/* The upper half of what a jump's placeholder compares with; the lower one is enum constant. */
#define CHOICE_PLACEHOLDER   0x5658

#ifdef __bpf__
/*
 * Volatile: loaded where it is used, since keeping it takes more than loading it again. Only for functions that are inlined
 * into vxlan_pipeline(): in one of its own the placeholder would stay, and is never 0. A unit test holds this.
 */
#define CONSTANT(name)                                                                    \
	({                                                                                \
		__u64 constant_value;                                                     \
		asm volatile("%0 = %1 ll"                                                 \
			     : "=r"(constant_value)                                       \
			     : "i"((__u64)CONSTANT_PLACEHOLDER << 32 | CONSTANT_##name)); \
		constant_value;                                                           \
	})

/*
 * Is the constant not 0? For a branch that costs nothing: on either side of it stands an instruction that is on no other
 * path. So one of these two is never reached, which makes the verifier take the comparison out, together with the side that
 * is not chosen, and with this instruction, which does nothing.
 */
#define CHOSEN(name)                               \
	({                                         \
		bool chosen = CONSTANT(name) != 0; \
		if (!chosen)                       \
			asm volatile("goto +0");   \
		chosen;                            \
	})

/*
 * The same without the instruction that loads the constant, where there is a number below 2^31 in a register, and the verifier
 * knows that it is: a comparison of that with a larger one is always true, or never, as user space chooses. The compiler lays
 * the side that is chosen straight on; with CHOSEN_SELDOM() the other one.
 */
#define CHOICE(small, name, comparison, straight_on)                                   \
	({                                                                             \
		__label__ jumped;                                                      \
		bool chosen = (straight_on);                                           \
		asm goto("if %0 " comparison " %1 goto %l[jumped]"                     \
			 :                                                             \
			 : "r"(small), "i"(CHOICE_PLACEHOLDER << 16 | CONSTANT_##name) \
			 :                                                             \
			 : jumped);                                                    \
		asm volatile("goto +0");                                               \
		if (false) {                                                           \
		jumped:                                                                \
			asm volatile("goto +0");                                       \
			chosen = !(straight_on);                                       \
		}                                                                      \
		chosen;                                                                \
	})
#define CHOSEN_BY(small, name)     CHOICE(small, name, ">", true)
#define CHOSEN_SELDOM(small, name) CHOICE(small, name, "<=", false)
#endif

#endif
