// SPDX-License-Identifier: GPL-2.0-only
/*
 * The far side of the endurance tests. Packets must arrive in the order in which `generate` sent
 * them, as they pass one CPU and FIFO queues only. A map counts packets by their attributes after
 * rewriting: packets that agree in all of them share a count.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/generate.h"

char LICENSE[] SEC("license") = "GPL";

/* Sizes of the IP packets: whole ones, whose checksums are verified, and fragmented ones. */
#define INNER_SIZE 98
#define CUT_SIZE   2852
#define GAPS       64 /* the last ones are kept */

enum udp_checksum { UDP_NONE, UDP_RIGHT, UDP_WRONG };

/* A packet's attributes after rewriting. tests/endurance/sides.py reads this layout. */
struct outcome {
	__u8 mac[6]; /* the Ethernet destination */
	__u16 port;  /* the UDP destination port minus the flow's number, host order */
	__be32 destination;
	__u8 udp_checksum; /* enum udp_checksum */
	__u8 df;
	__u8 has_id;
	__u8 intact; /* IP header checksum and length are right */
};

/* The state of a run; rig.py reads this layout. Only one CPU at a time polls the interface. */
struct order {
	__u64 received;
	__u64 next;    /* the number expected next */
	__u64 missing; /* numbers skipped */
	__u64 late;    /* packets with a number below `next`: late, or duplicates */
	__u64 changes; /* how often `mark` differed from the previous packet's */
	__u64 strange; /* stamped packets of another size or sender; fragments out of order */
	__u64 delay;   /* the longest time from stamp to arrival, ns */
	__u32 run;
	__u32 mark; /* of the last packet; differs between the two configurations */
	__u32 id;   /* of the packet whose fragments are arriving */
	__u32 end;  /* where its last fragment ended, in bytes of payload */
	__u64 gaps;
	struct gap {
		__u64 time; /* CLOCK_MONOTONIC, ns */
		__u64 number;
		__u64 missing;
	} gap[GAPS];
};

/* A fragment's attributes; a key of the same map. */
struct fragment {
	__u8 mac[6];
	__u16 offset; /* in bytes */
	__be32 destination;
	__u16 length; /* of its payload */
	__u8 more;
	__u8 intact;
};

_Static_assert(sizeof(struct outcome) == 16, "outcome");
_Static_assert(sizeof(struct fragment) == sizeof(struct outcome), "fragment");
_Static_assert(sizeof(struct order) == 80 + GAPS * sizeof(struct gap), "order");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, struct outcome);
	__type(value, __u64);
} outcomes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct order);
} orders SEC(".maps");

/* A packet that left the pipeline: no VLAN, no IP options, one buffer. */
struct packet {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	struct generate_stamp stamp;
	__u8 rest[INNER_SIZE - sizeof(struct iphdr) - sizeof(struct udphdr) -
		  sizeof(struct generate_stamp)];
} __attribute__((packed));

#define AT(packet, type, field) (*(type *)((void *)(packet) + offsetof(struct packet, field)))
#define IP_DF                   0x4000
#define IP_MORE                 0x2000
#define IP_OFFSET               0x1fff

/* Folds a sum of 16-bit words in memory order; 0xffff for data with a right checksum in it. */
static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u64 sum_words(const void *data, __u32 bytes)
{
	__u64 sum = 0;

#pragma unroll
	for (__u32 i = 0; i < bytes; i += 2)
		sum += *(const __u16 *)(data + i);
	return sum;
}

static __always_inline enum udp_checksum judge_udp(const struct packet *packet)
{
	const void *addresses = (const void *)packet + offsetof(struct packet, ip.saddr);
	const void *segment = (const void *)packet + offsetof(struct packet, udp);
	__u64 sum = bpf_htons(IPPROTO_UDP) + AT(packet, __be16, udp.len);

	if (!AT(packet, __be16, udp.check))
		return UDP_NONE;
	sum += sum_words(addresses, 8) + sum_words(segment, INNER_SIZE - sizeof(struct iphdr));
	return fold(sum) == 0xffff ? UDP_RIGHT : UDP_WRONG;
}

static __always_inline void count(const void *outcome)
{
	__u64 one = 1, *counted = bpf_map_lookup_elem(&outcomes, outcome);

	if (counted)
		*counted += 1;
	else
		bpf_map_update_elem(&outcomes, outcome, &one, BPF_ANY);
}

static __always_inline void note_outcome(const struct packet *packet)
{
	struct outcome outcome = {
		.port = bpf_ntohs(AT(packet, __be16, udp.dest)) - AT(packet, __u32, stamp.flow),
		.destination = AT(packet, __be32, ip.daddr),
		.udp_checksum = judge_udp(packet),
		.df = (AT(packet, __be16, ip.frag_off) & bpf_htons(IP_DF)) != 0,
		.has_id = AT(packet, __be16, ip.id) != 0,
		.intact = fold(sum_words(&packet->ip, sizeof(packet->ip))) == 0xffff &&
			  AT(packet, __be16, ip.tot_len) == bpf_htons(INNER_SIZE),
	};

	__builtin_memcpy(outcome.mac, packet->ethernet.h_dest, sizeof(outcome.mac));
	count(&outcome);
}

static __always_inline void note_gap(struct order *order, __u64 number, __u64 now)
{
	__u32 place = order->gaps++ % GAPS;

	order->gap[place].time = now;
	order->gap[place].number = order->next;
	order->gap[place].missing = number - order->next;
	order->missing += number - order->next;
}

static __always_inline void note_order(struct order *order, const struct packet *packet, __u32 mark)
{
	__u64 number = AT(packet, __u64, stamp.number), sent = AT(packet, __u64, stamp.time);
	__u64 now = bpf_ktime_get_ns();

	if (order->received++ && mark != order->mark)
		order->changes++;
	order->mark = mark;
	if (sent && now > sent && now - sent > order->delay)
		order->delay = now - sent;
	if (number < order->next) {
		order->late++;
		return;
	}
	if (number > order->next)
		note_gap(order, number, now);
	order->next = number + 1;
}

/* Is this an IPv4 packet of a generator? */
static __always_inline bool is_stamped(const struct packet *packet)
{
	return AT(packet, __be16, ethernet.h_proto) == bpf_htons(ETH_P_IP) &&
	       AT(packet, __u32, stamp.magic) == GENERATE_MAGIC;
}

static __always_inline bool is_this_run(struct order *order, const struct packet *packet)
{
	if (!order->run)
		order->run = AT(packet, __u32, stamp.run);
	return AT(packet, __u32, stamp.run) == order->run;
}

SEC("xdp")
int endurance_judge(struct xdp_md *ctx)
{
	struct packet *packet = (void *)(long)ctx->data;
	__u32 zero = 0;
	struct order *order = bpf_map_lookup_elem(&orders, &zero);

	if (!order || (void *)(packet + 1) > (void *)(long)ctx->data_end || !is_stamped(packet))
		return XDP_PASS;
	if ((void *)(packet + 1) != (void *)(long)ctx->data_end || !is_this_run(order, packet)) {
		order->strange++;
		return XDP_DROP;
	}
	note_order(order, packet, AT(packet, __be16, ip.frag_off) & bpf_htons(IP_DF));
	note_outcome(packet);
	return XDP_DROP;
}

static __always_inline void note_fragment(const struct packet *packet, __u32 offset, __u32 length)
{
	struct fragment fragment = {
		.offset = offset,
		.destination = AT(packet, __be32, ip.daddr),
		.length = length,
		.more = (AT(packet, __be16, ip.frag_off) & bpf_htons(IP_MORE)) != 0,
		.intact = fold(sum_words(&packet->ip, sizeof(packet->ip))) == 0xffff,
	};

	__builtin_memcpy(fragment.mac, packet->ethernet.h_dest, sizeof(fragment.mac));
	count(&fragment);
}

/* The same for fragmented packets: all fragments of a packet must come in a row. */
SEC("xdp")
int endurance_fragments(struct xdp_md *ctx)
{
	struct packet *packet = (void *)(long)ctx->data;
	__u32 zero = 0, offset, length;
	struct order *order = bpf_map_lookup_elem(&orders, &zero);

	if (!order || (void *)(packet + 1) > (void *)(long)ctx->data_end ||
	    AT(packet, __be16, ethernet.h_proto) != bpf_htons(ETH_P_IP) ||
	    packet->ip.protocol != IPPROTO_UDP)
		return XDP_PASS;
	offset = (bpf_ntohs(AT(packet, __be16, ip.frag_off)) & IP_OFFSET) * 8;
	length = bpf_ntohs(AT(packet, __be16, ip.tot_len)) - sizeof(struct iphdr);
	if (!offset) {
		if (!is_stamped(packet) || !is_this_run(order, packet) ||
		    (order->received && order->end != CUT_SIZE - sizeof(struct iphdr)))
			order->strange++;
		order->id = AT(packet, __be16, ip.id);
		order->end = 0;
		note_order(order, packet, length);
	}
	if (order->id != AT(packet, __be16, ip.id) || order->end != offset)
		order->strange++;
	order->end = offset + length;
	note_fragment(packet, offset, length);
	return XDP_DROP;
}
