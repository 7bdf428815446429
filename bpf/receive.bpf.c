// SPDX-License-Identifier: GPL-2.0-only
/*
 * The far side of `generate`: counts stamped packets, in the tunnel or out of it, and judges their
 * order and latency. Everything else goes on to the kernel.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "generate.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct receive_config config;

__u32 run; /* the run that is counted; 0: none yet */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct receive_counts);
} counts SEC(".maps");

/* Index: thread * RECEIVE_SLOTS + number % RECEIVE_SLOTS; value: lap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GENERATE_MAX_THREADS *RECEIVE_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} slots SEC(".maps");

/* Index: flow; value: the highest number received, plus 1. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GENERATE_MAX_FLOWS);
	__type(key, __u32);
	__type(value, __u64);
} flows SEC(".maps");

struct stamp {
	__u64 number;
	__u64 time;
	__u32 run;
	__u32 flow;
	__u16 thread;
	__u16 boot;
};

/* A stamped packet, as find() returns it. */
struct found {
	struct stamp stamp;
	bool encapsulated;
	bool first_fragment;
};

enum answer { OTHER, STAMPED, LATER_FRAGMENT };

#define IP_OFFSET_MASK    0x1fff
#define IP_MORE_FRAGMENTS 0x2000
#define VXLAN_SIZE        8

#define STAMP_FIELD(payload, type, field) \
	(*(type *)((payload) + offsetof(struct generate_stamp, field)))

static __always_inline bool read_stamp(void *payload, void *end, struct stamp *stamp)
{
	if (payload + sizeof(struct generate_stamp) > end ||
	    STAMP_FIELD(payload, __u32, magic) != GENERATE_MAGIC)
		return false;
	stamp->number = STAMP_FIELD(payload, __u64, number);
	stamp->time = STAMP_FIELD(payload, __u64, time);
	stamp->run = STAMP_FIELD(payload, __u32, run);
	stamp->flow = STAMP_FIELD(payload, __u32, flow);
	stamp->thread = STAMP_FIELD(payload, __u16, thread);
	stamp->boot = STAMP_FIELD(payload, __u16, boot);
	return stamp->thread < GENERATE_MAX_THREADS && stamp->flow < GENERATE_MAX_FLOWS;
}

/* The IPv4 header of an Ethernet frame that carries UDP; NULL: it does not. */
static __always_inline struct iphdr *udp_packet(void *frame, void *end)
{
	struct ethhdr *ethernet = frame;
	struct iphdr *ip = frame + sizeof(*ethernet);

	if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->version != 4 || ip->protocol != IPPROTO_UDP)
		return NULL;
	return ip;
}

static __always_inline struct receive_fragment *fragment_place(struct receive_counts *count,
							       const struct iphdr *ip)
{
	return &count->fragment[bpf_ntohs(ip->id) % RECEIVE_FRAGMENTS];
}

static __always_inline void note_first_fragment(struct receive_counts *count,
						const struct iphdr *ip)
{
	struct receive_fragment *place = fragment_place(count, ip);

	place->source = ip->saddr;
	place->destination = ip->daddr;
	place->id = ip->id;
	place->valid = 1;
}

static __always_inline bool is_later_fragment(struct receive_counts *count, const struct iphdr *ip)
{
	const struct receive_fragment *place = fragment_place(count, ip);

	return place->valid && place->source == ip->saddr && place->destination == ip->daddr &&
	       place->id == ip->id;
}

static __always_inline enum answer find(struct xdp_md *ctx, struct receive_counts *count,
					struct found *found)
{
	void *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = udp_packet(frame, end);
	struct udphdr *udp;

	if (!ip)
		return OTHER;
	if (ip->frag_off & bpf_htons(IP_OFFSET_MASK))
		return is_later_fragment(count, ip) ? LATER_FRAGMENT : OTHER;
	udp = (void *)ip + ip->ihl * 4;
	if ((void *)(udp + 1) > end)
		return OTHER;
	if (udp->dest == config.port && !(ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS))) {
		found->encapsulated = true;
		ip = udp_packet((void *)(udp + 1) + VXLAN_SIZE, end);
		if (!ip || ip->frag_off & bpf_htons(IP_OFFSET_MASK))
			return OTHER;
		udp = (void *)ip + ip->ihl * 4;
	}
	if (!read_stamp(udp + 1, end, &found->stamp))
		return OTHER;
	if (ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS)) {
		found->first_fragment = true;
		note_first_fragment(count, ip);
	}
	return STAMPED;
}

/* Was this number received before? */
static __always_inline bool is_duplicate(const struct stamp *stamp)
{
	__u32 index = stamp->thread * RECEIVE_SLOTS + stamp->number % RECEIVE_SLOTS;
	__u32 lap = stamp->number / RECEIVE_SLOTS + 1, before;
	__u32 *slot = bpf_map_lookup_elem(&slots, &index);

	if (!slot)
		return false;
	before = __sync_lock_test_and_set(slot, lap);
	if (before > lap)
		__sync_lock_test_and_set(slot, before); /* the packet is late by a whole lap */
	return before == lap;
}

static __always_inline bool is_reordered(const struct stamp *stamp)
{
	__u64 *end = bpf_map_lookup_elem(&flows, &stamp->flow);

	if (!end)
		return false;
	if (stamp->number < *end)
		return true;
	*end = stamp->number + 1;
	return false;
}

static __always_inline void count_order(struct receive_counts *count, const struct stamp *stamp)
{
	struct receive_thread *thread = &count->thread[stamp->thread % GENERATE_MAX_THREADS];

	if (is_duplicate(stamp)) {
		count->duplicates++;
		return;
	}
	if (is_reordered(stamp))
		count->reordered++;
	if (!thread->end || stamp->number < thread->first)
		thread->first = stamp->number;
	if (stamp->number >= thread->end)
		thread->end = stamp->number + 1;
	thread->unique++;
}

static __always_inline void count_latency(struct receive_counts *count, const struct stamp *stamp)
{
	__u64 now, latency;
	__u32 bucket;

	if (!stamp->time)
		return;
	now = bpf_ktime_get_ns();
	if (!count->first_seen)
		count->first_seen = now;
	count->last_seen = now;
	if (stamp->boot != config.boot) {
		count->other_clock++;
		return;
	}
	latency = now > stamp->time ? now - stamp->time : 0;
	bucket = latency_bucket(latency);
	if (bucket < LATENCY_BUCKETS)
		count->latency[bucket]++;
	count->latency_sum += latency;
	if (latency > count->latency_max)
		count->latency_max = latency;
	if (!count->latency_min || latency < count->latency_min)
		count->latency_min = latency;
}

/* The first stamped packet decides which run is counted. */
static __always_inline bool is_this_run(const struct stamp *stamp)
{
	__u32 mine = run;

	if (!mine)
		mine = __sync_val_compare_and_swap(&run, 0, stamp->run);
	return !mine || mine == stamp->run;
}

static __always_inline void judge(struct xdp_md *ctx, struct receive_counts *count,
				  const struct found *found)
{
	if (!is_this_run(&found->stamp)) {
		count->other_runs++;
		return;
	}
	count->packets++;
	count->bytes += ctx->data_end - ctx->data;
	count->encapsulated += found->encapsulated;
	count->first_fragments += found->first_fragment;
	count_order(count, &found->stamp);
	count_latency(count, &found->stamp);
}

SEC("xdp")
int generate_receive(struct xdp_md *ctx)
{
	struct receive_counts *count;
	struct found found = {0};
	__u32 zero = 0;

	count = bpf_map_lookup_elem(&counts, &zero);
	if (!count)
		return XDP_PASS;
	switch (find(ctx, count, &found)) {
	case STAMPED:
		judge(ctx, count, &found);
		break;
	case LATER_FRAGMENT:
		count->later_fragments++;
		break;
	default:
		return XDP_PASS;
	}
	return config.pass ? XDP_PASS : XDP_DROP;
}
