/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration constants and every map. Sizes given as 1 are set by user space before loading.
 * The first group is shared by all generations of an instance; the others
 * belong to one generation, and user space fills them before the program runs.
 */
#ifndef MAPS_H
#define MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "pipeline.h"

const volatile struct pipeline_config config;

/* ---- of the instance ---- */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

/* User space's own; no program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct instance_info);
} instance SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct fragment_key);
	__type(value, struct fragment_decision);
} fragments SEC(".maps");

/*
 * First fragments that no rule matched: when they were seen (CLOCK_MONOTONIC, ns). A map of their own,
 * so that they push out no decision.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct fragment_key);
	__type(value, __u64);
} unmatched_firsts SEC(".maps");

/* A variable, whose address stands in the program: a map would be looked up for each packet. */
volatile struct heartbeat heartbeat SEC(".data.heartbeat");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fragment_progress);
} fragment_progress SEC(".maps");

/* ---- of a generation: rules ---- */

/* Filled through a mapping, which is much faster than a system call an element. */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nat4_displacements SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat4_slot);
} nat4_slots SEC(".maps");

/* The different targets of IPv4 rules, if keys are folded: mostly few, which stay in the first cache. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat4_target);
} nat4_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} nat6_displacements SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat6_slot);
} nat6_slots SEC(".maps");

/*
 * Index: CPU * pipeline_config.rule_counters + that of the rule: of an IPv6 rule that of its slot, of an IPv4 rule
 * struct nat4_slot.counter. No per-CPU array, which finds an element by a table of pointers: with many rules that is one
 * more access to memory.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rule_counter);
} rule_hits SEC(".maps");

/* Index: CPU. A variable like the heartbeat: a packet needs no lookup. */
struct only_hits only_hits[ONLY_CPUS] SEC(".data.only_hits");

/* What earlier generations counted for the same rule; no program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hits);
} rule_base SEC(".maps");

/* What the rules are called, in their order, each name with its zero byte; no program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} rule_names SEC(".maps");

/* ---- of a generation: VNIs ---- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} vni_displacements SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vni_slot);
} vni_slots SEC(".maps");

/*
 * Index: CPU * pipeline_config.vni_counters + struct vni_slot.index; with one VNI: + 0. With `vnis: any`, 0: those not in
 * vni_any. No per-CPU array, for the reason that map rule_hits is none.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hits);
} vni_hits SEC(".maps");

/* With `vnis: any`: key VNI. Nothing is ever taken out. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hits);
} vni_any SEC(".maps");

/* What earlier generations counted, by VNI, and under VNI_NONE of others; no program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PIPELINE_MAX_VNIS + 1);
	__type(key, __u32);
	__type(value, struct hits);
} vni_base SEC(".maps");

/* ---- of a generation: the rest ---- */

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct source_key);
	__type(value, __u32);
} sources SEC(".maps");

/* Sources that `sources` let in lately, IPv4 only; each CPU has its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct source_set);
} source_sets SEC(".maps");

/* Index: struct nat4_target.next_hop. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct next_hop);
} next_hops SEC(".maps");

/*
 * The next hop of all IPv4 rules, if their targets have one address: as in next_hops, and a variable like the heartbeat, since
 * a packet then needs no lookup.
 */
volatile struct next_hop only_hop SEC(".data.only_hop");

/*
 * What fib_ask() answers besides its number: the Ethernet addresses, as in struct next_hop. No part of the counters,
 * which would begin anew with an upgrade if their size changed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct next_hop);
} way_out SEC(".maps");

/* Neighbours that the daemon is to ask for. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WANTED_BYTES);
} wanted SEC(".maps");

/*
 * listen.interface. Nothing leaves by this map: the kernel takes the interface out of it when it goes to
 * another network namespace, where no rules silence the kernel (src/net/silence.h). A value without
 * a program, as Linux before 5.14 demands for generic mode.
 */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} ingress SEC(".maps");

/* forward.interface, for whole frames: enum egress_entry; and as often as a packet gives fragments. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, EGRESS_ENTRIES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_devmap_val));
} egress SEC(".maps");

#define COPIES_MAP(count)                                          \
	struct {                                                   \
		__uint(type, BPF_MAP_TYPE_DEVMAP);                 \
		__uint(max_entries, count);                        \
		__uint(key_size, sizeof(__u32));                   \
		__uint(value_size, sizeof(struct bpf_devmap_val)); \
	} copies_##count SEC(".maps");

FRAGMENT_COUNTS(COPIES_MAP)

/* Key: CPU. A thread on it, with the program vxlan_pipeline_cut(). */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_cpumap_val));
} cutters SEC(".maps");

/* Filled with config.trace. */
volatile struct trace trace SEC(".data.trace");

#endif
