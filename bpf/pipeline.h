/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pipeline and the program (src/) share: verdicts, events, the configuration constants, and
 * the keys and values of every map. Multi-byte fields are in host order unless their type says __be.
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <linux/types.h>

#include "verdicts.h"

#define PIPELINE_MAX_RULES  65536
#define PIPELINE_MAX_VNIS   4096 /* listed ones; with `any`, those counted one by one */
#define PIPELINE_MAX_SHAPES 64   /* of one address family */
#define PIPELINE_VNI_MAX    0xffffff

#define VXLAN_FLAG_VNI 0x08 /* RFC 7348: the I flag, in the first byte of the VXLAN header */

/* Packets, and the bytes of their frames as they arrived. */
struct hits {
	__u64 packets;
	__u64 bytes;
};

/*
 * Histograms (monitor.histograms), with buckets that do not overlap: the n-th one counts what the bounds
 * before it do not hold, the last one what no bound holds.
 *
 * X(bound): frames of up to so many bytes. Multiples of SIZE_STEP, and one that is none.
 */
#define SIZE_STEP          64
#define SIZE_BOUND_BETWEEN 1518 /* the largest Ethernet frame without a VLAN tag */
#define SIZE_BOUNDS(X) \
	X(64) X(128) X(256) X(512) X(1024) X(SIZE_BOUND_BETWEEN) X(2048) X(4096) X(9216)

#define SIZE_SLOTS   256 /* of struct pipeline_config, SIZE_STEP bytes each */
#define SIZE_BUCKETS 16  /* a power of two, for the verifier; the last ones are not in use */
#define TIME_BUCKETS 16  /* bounds: TIME_FIRST_NS << n, to 0.5 ms */

#define TIME_FIRST_NS 32
/* One packet in so many is timed, on average: a fixed distance would keep step with bursts. */
#define TIMED_ONE_IN  1024

struct histograms {
	__u64 size[SIZE_BUCKETS];
	__u64 size_sum; /* bytes */
	__u64 time[TIME_BUCKETS];
	__u64 time_sum;    /* ns */
	__u64 until_timed; /* packets until one is timed */
	__u64 begun_at; /* CLOCK_MONOTONIC, ns: when the program began that is timed; 0: none is */
};

/* The value of map `counters`, one for each CPU. It outlives every program of an instance: nothing else is kept here. */
struct counters {
	struct hits verdict[VERDICT_COUNT];
	__u64 event[EVENT_COUNT];
	struct histograms histograms;
	__u64 fragments; /* that were made */
	/* bytes cut off frames that left, beyond the USUAL_TUNNEL of each: most have none, and cost nothing */
	__u64 cut_bytes;
	__u64 next_ip_id;      /* sequence that fresh IPv4 IDs are made of */
	__u32 next_fragmented; /* sequence of packets that were fragmented */
	__u32 trimming; /* by which entry of map `egress` frames leave this CPU: enum egress_entry */
	__u64 asked_at; /* jiffies: when a neighbour was last asked for, by map `wanted` */
};

/* Outer Ethernet, IPv4, UDP and VXLAN header: the least that encloses an inner frame, in bytes. */
#define USUAL_TUNNEL 50

/*
 * Lookup tables are perfect hashes: user space, which knows every key beforehand, chooses a
 * displacement for each bucket so that no two keys share a slot. A lookup reads one displacement
 * and one slot and compares one key. There is a power of two of buckets, and any number of slots.
 * Displacements are 16 bits each, packed four to a word. A table of one bucket has none: its seed is
 * chosen so that none is needed.
 */
#define TABLE_DISPLACEMENT_BITS      16
#define TABLE_DISPLACEMENTS_PER_WORD 4

struct table {
	__u64 seed;
	__u32 bucket_mask;
	__u32 slots;
};

struct table_place {
	__u32 bucket;
	__u32 base;
	__u32 step;
};

static inline __attribute__((always_inline)) __u64 table_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 32);
}

/* Where the key that hashed to `hash` lives: bucket first, then slot by its displacement. */
static inline __attribute__((always_inline)) struct table_place table_place(__u32 bucket_mask,
									    __u64 hash)
{
	struct table_place place;

	/* a multiplication carries differences upwards only: fold them back down */
	hash *= 0xd6e8feb86659fd93ULL;
	hash ^= hash >> 32;
	place.bucket = (__u32)(hash >> 48) & bucket_mask;
	place.base = (__u32)hash;
	place.step = (__u32)(hash >> 32) | 1;
	return place;
}

/* `slots`: how many there are, less than 2^32; in 64 bits, which take no conversion. */
static inline __attribute__((always_inline)) __u32 table_slot(__u64 slots, struct table_place place,
							      __u16 displacement)
{
	__u32 hash = place.base + displacement * place.step;

	return hash * slots >> 32;
}

/*
 * Keys of the NAT tables. The last word holds what is not an address:
 *   bits 0-15 source port, 16-31 destination port (both as they stand in the packet),
 *   32-55 VNI, 56-57 protocol (enum nat_protocol), 58-63 shape.
 * A shape is the set of key bits that a group of rules matches on; bits outside it are zero.
 */
enum nat_protocol { NAT_PROTOCOL_ANY, NAT_PROTOCOL_UDP, NAT_PROTOCOL_TCP };

#define NAT_VNI_SHIFT      32
#define NAT_PROTOCOL_SHIFT 56
#define NAT_SHAPE_SHIFT    58

static inline __attribute__((always_inline)) __u64
nat_key_word(__be16 source_port, __be16 destination_port, __u32 vni, __u32 protocol)
{
	return (__u64)source_port | (__u64)destination_port << 16 | (__u64)vni << NAT_VNI_SHIFT |
	       (__u64)protocol << NAT_PROTOCOL_SHIFT;
}

/* Word 0: source address in its low half, destination in its high half, as in the packet. */
struct nat4_key {
	__u64 word[2];
};

/* Words 0-1: source address; 2-3: destination address, as in the packet. */
struct nat6_key {
	__u64 word[5];
};

#define NO_RULE 0 /* comes after all of them */
#define NO_SLOT 0xffffffffU

/*
 * What all rules of a shape have in common: `common` is the bits of the mask that are the same in the keys of all of them,
 * `value` what they are. A packet that differs there is of none of them, and is not looked up.
 */
struct nat4_shape {
	struct nat4_key mask;
	struct nat4_key common;
	struct nat4_key value;
	__u32 first_rule; /* lowest rule number that has this shape; ascending */
	__u32 next_rule;  /* that of the next shape; the last one's: NO_RULE */
	__u32 only; /* the slot of the one rule that has this shape; NO_SLOT: there are several */
	__u32 reserved;
};

struct nat6_shape {
	struct nat6_key mask;
	struct nat6_key common;
	struct nat6_key value;
	__u32 first_rule;
	__u32 next_rule;
};

/* Where a rule sends its packets. Port 0: the port stays. `next_hop` is the address's index in map `next_hops`. */
struct nat4_target {
	__be32 address;
	__be16 port;
	__u16 next_hop;
};

/* Rules count from 1, in file order; an empty slot has rule 0. */
struct nat4_slot {
	struct nat4_key key;
	struct nat4_target target;
	__u32 rule;
	/* the rule's among those that each CPU has in map `rule_hits`: pipeline_config.nat4_counters + the slot's number */
	__u32 counter;
};

struct nat6_slot {
	struct nat6_key key;
	__be32 address[4];
	__be16 port; /* as in struct nat4_target */
	__u16 next_hop;
	__u32 rule;
};

/*
 * What one CPU counted for a rule; and, since a lookup among many rules takes as long as memory does, what the CPU needs to
 * find the rule. IPv4 rules of one shape have their keys folded into one word each, and their slots are not read. The low
 * RULE_TARGET_BITS of `packets` are then the index of the rule's target in map `nat4_targets`. The packets count in the
 * bits above: 48 of them, 2.9 years at 3 million packets a second.
 */
struct rule_counter {
	__u64 key; /* nat4_fold(), or NAT4_NO_KEY */
	__u64 packets;
	__u64 bytes;
};

/*
 * What one CPU counted for the only rule on the plain way (bpf/usual.h): a cache line. There are as many
 * of these as most machines have CPUs; those that have more take the longer way.
 */
struct only_hits {
	struct hits hits;
	__u64 unused[6];
};

#define ONLY_CPUS 512

#define RULE_TARGET_BITS 16
/* The key of an empty slot. No packet has it, since keys are folded only if one bit stays free. */
#define NAT4_NO_KEY      (~0ULL)

static inline __attribute__((always_inline)) __u64 rotate_left(__u64 word, __u64 by)
{
	return word << by | word >> (64 - by);
}

/*
 * Folds a key into one word: the lower half of word 1 is rotated by `lower`, the upper half by `upper`, 1 to 63; with `upper`
 * 0, which takes less time, the whole word by `lower`. These are chosen so that no bits of the mask of the rules meet: then
 * keys that differ give words that differ. Where no rotations do that, keys are not folded.
 */
static inline __attribute__((always_inline)) __u64 nat4_fold(const struct nat4_key *key,
							     __u64 lower, __u64 upper)
{
	if (!upper)
		return key->word[0] ^ rotate_left(key->word[1], lower);
	return key->word[0] ^ rotate_left((__u32)key->word[1], lower) ^
	       rotate_left(key->word[1] >> 32, upper);
}

/*
 * The way to a rule's target, kept up to date by the daemon (src/daemon/next_hops.c), word by word, so that
 * every word is always whole. Words 0 and 1 hold the Ethernet addresses as they stand in a frame:
 * word 0 its bytes 0-7, the low half of word 1 its bytes 8-11.
 * Bits 32-47 of word 1: path MTU in bytes; bits 48-60: enum next_hop_state; bits 61-63: zero.
 */
struct next_hop {
	__u64 word[2];
};

#define NEXT_HOP_MTU_SHIFT   32
#define NEXT_HOP_STATE_SHIFT 48
#define NEXT_HOP_ZERO_SHIFT  61

enum next_hop_state {
	NEXT_HOP_UNKNOWN, /* ask the kernel */
	NEXT_HOP_RESOLVED,
	NEXT_HOP_LOCAL,  /* the target is this host: pass */
	NEXT_HOP_FAILED, /* nobody answers: drop */
	NEXT_HOP_STATES
};

/*
 * A record of ring buffer `wanted`: a next hop whose neighbour the kernel does not know, and that no
 * rule names. The daemon has the kernel ask for it. The datapath hands no packet to the kernel for
 * that, since the kernel would report its failure to the captured sender.
 */
struct wanted_neighbour {
	__u32 version;     /* 4 or 6 */
	__be32 address[4]; /* IPv4: the first */
};

#define WANTED_BYTES 4096 /* of the ring buffer: a page on most machines */

/*
 * The value of map `heartbeat`: next hops may be trusted until then. In jiffies, which the datapath
 * reads at no cost; the daemon runs a program to write it, since user space does not know them.
 * HEARTBEAT_LIFETIME is 0.5 s at 1000 Hz and 2 s at 250 Hz; loading 65,536 rules takes 0.3 s.
 */
struct heartbeat {
	__u64 trusted_until;
	__u64 beaten_at; /* CLOCK_MONOTONIC, ns: for user space, which does not know jiffies */
};

#define HEARTBEAT_LIFETIME 500
#define HEARTBEAT_EVERY_MS 100

/*
 * Fragmentation. A frame that has to be fragmented leaves its program N times over (broadcast to a devmap
 * that names forward.interface N times), with this in front of its Ethernet header; the program
 * that runs on its way out of the device trims the n-th copy to the n-th fragment. `mark` is random,
 * so that no captured frame can pretend to have one. Another struct: another PIPELINE_CONFIG_LAYOUT.
 */
struct fragment_shim {
	__u64 mark;
	__u32 sequence; /* of the packet, on its CPU */
	__u16 chunk;    /* bytes of IP payload in each fragment but the last */
	__u16 pieces;   /* how many fragments */
};

/*
 * The entries of map `egress`. The kernel keeps what a CPU sends to a device until the CPU has done what came in, or until
 * there are 16 frames, and runs on all of these the program of the first one, or none if that one has none. A program costs
 * every frame some nanoseconds. So a CPU sends by EGRESS_TRIMMING only from its first packet to be fragmented on, then as
 * long as the instance is there. As there may be frames without the program before it, this packet takes another way, by
 * map `cutters`, to a thread on the same CPU: when that runs, nothing is kept any more. A fresh instance, of which nothing
 * is on its way, begins with some frames by EGRESS_TRIMMING: where packets are fragmented all the time, none takes the thread.
 *
 * counters.trimming: in its upper half that of TRIMMING_OF(); else nothing is known. In its lower half how many frames
 * still leave by EGRESS_TRIMMING.
 */
enum egress_entry { EGRESS_WHOLE, EGRESS_TRIMMING, EGRESS_ENTRIES };

#define TRIMMING_FOR_EVER 0xffff
#define TRIMMING_AT_FIRST (TRIMMING_FOR_EVER - 1)
#define TRIMMING_BITS     0xffffULL
/* `mark`: of the shims. Generations that follow each other have the same one only if each fragments. */
#define TRIMMING_OF(mark) (((mark)&TRIMMING_BITS) << 16)
#define CUTTER_FRAMES     8192 /* that wait for a thread, at most: 80 ms of 100,000 a second */

/*
 * X(count) for each number of fragments that a packet may make: a devmap each (maps.h), with as
 * many entries.
 */
#define FRAGMENT_COUNTS(X) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

enum fragment_counts {
	FRAGMENTS_0,
	FRAGMENTS_1,
#define X(count) FRAGMENTS_##count,
	FRAGMENT_COUNTS(X)
#undef X
		FRAGMENTS_END
};

#define MAX_FRAGMENTS (FRAGMENTS_END - 1)

/* A copy of a frame has one page, with headroom in front and what the kernel needs at its end. */
#define FRAGMENT_COPY_ROOM 3776
#define FRAGMENT_HEADROOM  256 /* XDP_PACKET_HEADROOM */

/* Bytes of a VLAN tag, by which the kernel lets a redirected frame exceed MTU and Ethernet header. */
#define VLAN_HLEN 4

/* The value of map `fragment_progress`: which copy of which packet came last, on this CPU. */
struct fragment_progress {
	__u32 sequence;
	__u32 next;
};

/* `index` counts from 0 into the VNI's counters; an empty slot has vni VNI_NONE. */
struct vni_slot {
	__u32 vni;
	__u32 index;
};

#define VNI_NONE 0xffffffffU

/* Which first fragment a later one belongs to (RFC 791, RFC 8200). IPv4 fills address[0] only. */
struct fragment_key {
	__be32 source[4];
	__be32 destination[4];
	__be32 id;
	__u32 vni;
	__u8 version;  /* 4 or 6 */
	__u8 protocol; /* IPv4 only: IPv6 identifies by addresses and ID alone */
	__u8 reserved[2];
};

/* What the rules said of the first fragment. */
struct fragment_decision {
	__u64 seen_at;     /* CLOCK_MONOTONIC, ns */
	__be32 address[4]; /* new destination */
	__u32 rule;
	__u32 next_hop;
	__u32 counter;
	__u32 generation; /* of the rules: `rule` counts only while it is the current one */
};

#define FRAGMENT_LIFETIME_NS 30000000000ULL /* as long as Linux waits to reassemble */

/* Key of the trie `sources`. The version keeps IPv6 prefixes from holding IPv4 addresses. */
struct source_key {
	__u32 prefix_length; /* bits of what follows, the version's 32 included */
	__be32 version;      /* 4 or 6 */
	__be32 address[4];   /* IPv4: the first, the others are zero */
};

#define SOURCE_VERSION_BITS 32

/*
 * Of the cache in front of it, map `source_sets`: IPv4 sources that were let in. The upper half of a place that is in use
 * is 1, so that no address looks like an empty one.
 */
struct source_set {
	__u64 way[2];
};

#define SOURCE_SET_BITS 9 /* of the number of sets */
#define SOURCE_KNOWN    (1ULL << 32)

enum vni_mode {
	VNI_ONE,
	VNI_RANGE, /* one after the other: no table is asked */
	VNI_LISTED,
	VNI_ANY,
};
enum next_hop_mode { NEXT_HOP_ROUTE, NEXT_HOP_KEEP, NEXT_HOP_MAC };
enum oversize_mode { OVERSIZE_FRAGMENT, OVERSIZE_PASS, OVERSIZE_DROP };
enum fallback { FALLBACK_DROP, FALLBACK_PASS, FALLBACK_FORWARD };
/* In how many buffers the program gets a frame. */
enum buffers {
	BUFFERS_ONE,
	BUFFERS_SEVERAL, /* a long frame, in native mode */
	/*
	 * A long frame that stands for one in one buffer: in generic mode the kernel joins the buffers
	 * before it runs the program, but not for a trial run by `explain`.
	 */
	BUFFERS_JOINED,
};
enum udp_checksum_mode { UDP_CHECKSUM_UPDATE, UDP_CHECKSUM_ZERO, UDP_CHECKSUM_PRESERVE };

#define CLEAR_DF_NEVER 0xffffffffU

/*
 * The configuration as the datapath sees it: constants of a freshly loaded program, so that the
 * verifier removes what is not configured. A change of configuration is a change of program.
 * The constants are pinned, and other builds read them: the layout number comes first and changes
 * with every change of the struct.
 */
#define PIPELINE_CONFIG_LAYOUT 7

struct pipeline_config {
	__u32 layout; /* PIPELINE_CONFIG_LAYOUT */
	__u32 generation;
	__be16 port; /* UDP port of the tunnel */
	__u8 check_sources;
	__u8 vni_mode;        /* enum vni_mode */
	__u32 vni;            /* with VNI_ONE: the one; with VNI_RANGE: the first */
	__u8 truncated;       /* enum fallback */
	__u8 unmatched;       /* enum fallback */
	__u8 udp_checksum;    /* enum udp_checksum_mode */
	__u8 oversize;        /* enum oversize_mode */
	__u8 next_hop;        /* enum next_hop_mode */
	__u8 single_arm;      /* frames leave where they came in */
	__u8 trace;           /* note what becomes of packets (explain) */
	__u8 fragment_in_xdp; /* make fragments here, as far as the device allows */
	__u32 clear_df_above; /* IP total length in bytes, or CLEAR_DF_NEVER */
	__u32 mtu;            /* largest IP packet to send, in bytes */
	__u32 device_mtu;     /* of forward.interface, in bytes */
	__u32 egress_ifindex;
	__u32 cpus;                /* possible CPUs, which share the space of IP IDs */
	__u16 listen_mac[3];       /* destination of what is passed to the kernel */
	__u16 pass_mac[3];         /* its source, by which nftables knows it (src/net/silence.h) */
	__u16 next_hop_mac[3];     /* with NEXT_HOP_MAC */
	__u16 egress_mac[3];       /* source address with NEXT_HOP_MAC */
	__u8 buffers;              /* enum buffers */
	__u8 transmit_by_redirect; /* single_arm: through the devmap, not by XDP_TX */
	__u8 may_pass;             /* the kernel is kept from answering what is passed to it */
	__u8 mtu_is_devices;       /* forward.mtu is auto: it changes with device_mtu */
	__u8 histograms;           /* count sizes and times */
	__u8 reserved;
	__u16 vni_counters;  /* of each CPU in map `vni_hits` */
	__u32 vni_count;     /* with VNI_RANGE */
	__u64 fragment_mark; /* struct fragment_shim */
	__u32 nat4_shapes;   /* how many of nat4_shape[] are in use */
	__u32 nat6_shapes;
	__u32 nat4_rules;    /* 1: the one is in nat4_only, and no table is asked */
	__u32 nat4_counters; /* the first one of an IPv4 rule in map `rule_hits` */
	__u32 rule_counters; /* of each CPU there */
	__u8 nat4_lower;     /* nat4_fold() of keys; 0: they are not folded */
	__u8 nat4_upper;
	__u8 one_target; /* 1: keys are folded, and all IPv4 rules have the target of nat4_only */
	__u8 one_hop;    /* 1: the targets of all IPv4 rules have one address */
	struct nat4_slot nat4_only;
	struct table nat4;
	struct table nat6;
	struct table vnis;
	struct nat4_shape nat4_shape[PIPELINE_MAX_SHAPES];
	struct nat6_shape nat6_shape[PIPELINE_MAX_SHAPES];
	/* of frames of SIZE_STEP * n + 1 to SIZE_STEP * (n + 1) bytes: the bucket of the first */
	__u8 size_bucket[SIZE_SLOTS];
};

/* What became of the last packet, for `explain`. */
struct trace {
	__u32 verdict;
	__u32 events;       /* bit 1 << EVENT_x */
	__u32 rule;         /* 0: none */
	__u32 vni;          /* VNI_NONE: did not get that far */
	__u32 inner_offset; /* of the inner Ethernet header in the frame as it came; 0: none */
	__u32 scattered;    /* 1: it came in several buffers */
};

#define GENERIC_FALLBACK 2 /* generic mode, since native mode was refused and xdp_mode is auto */

/* What a pinned instance says of itself: the value of map `instance`, written by user space. */
struct instance_info {
	__u64 attached_at;       /* CLOCK_REALTIME, ns */
	__u64 attached_boottime; /* CLOCK_BOOTTIME, ns */
	__u64 configured_at;     /* CLOCK_REALTIME, ns: when the generation was applied */
	__u32 generation;
	__u32 generic; /* XDP mode: 0 native, 1 generic, GENERIC_FALLBACK */
	__u32 listen_ifindex;
	__u32 egress_ifindex;
	char listen[16];
	char egress[16];
	__u64 fragment_mark;    /* struct fragment_shim; earlier builds go by it */
	__u32 monitor_interval; /* seconds; what `monitor` goes by */
	__u32 target_pps;
	__u32 warning_pps;
	__u32 pass_mark; /* of what is passed to the kernel: fwmark, and part of its source MAC */
};

#define PIPELINE_SIZE_IS(type, size) _Static_assert(sizeof(type) == (size), #type)
PIPELINE_SIZE_IS(struct hits, 16);
PIPELINE_SIZE_IS(struct histograms, 8 * (SIZE_BUCKETS + TIME_BUCKETS + 4));
/* another size: with an upgrade the counters of a running instance begin anew */
PIPELINE_SIZE_IS(struct counters,
		 16 * VERDICT_COUNT + 8 * EVENT_COUNT + sizeof(struct histograms) + 40);
PIPELINE_SIZE_IS(struct nat4_target, 8);
PIPELINE_SIZE_IS(struct nat4_slot, 32);
PIPELINE_SIZE_IS(struct rule_counter, 24);
PIPELINE_SIZE_IS(struct only_hits, 64);
_Static_assert(PIPELINE_MAX_RULES <= 1 << RULE_TARGET_BITS,
	       "each rule may have a target of its own");
PIPELINE_SIZE_IS(struct nat6_slot, 64);
PIPELINE_SIZE_IS(struct vni_slot, 8);
PIPELINE_SIZE_IS(struct fragment_key, 44);
PIPELINE_SIZE_IS(struct fragment_decision, 40);
PIPELINE_SIZE_IS(struct next_hop, 16);
_Static_assert(NEXT_HOP_STATES <= 1 << (NEXT_HOP_ZERO_SHIFT - NEXT_HOP_STATE_SHIFT), "zero bits");
PIPELINE_SIZE_IS(struct fragment_shim, 16);
PIPELINE_SIZE_IS(struct source_key, 24);
PIPELINE_SIZE_IS(struct pipeline_config, 12736); /* another one: another PIPELINE_CONFIG_LAYOUT */
PIPELINE_SIZE_IS(struct trace, 24);
PIPELINE_SIZE_IS(struct heartbeat, 16);
PIPELINE_SIZE_IS(struct instance_info, 96);

#endif
