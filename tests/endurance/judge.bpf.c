// SPDX-License-Identifier: GPL-2.0-only
/*
 * The far side of the endurance tests. What `generate` sent in order has to come in order: one CPU
 * and queues of first in, first out lead here. And of every packet it is noted what the rules made
 * of it, all attributes together: packets that agree in all of them share a count.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../../bpf/generate.h"

char LICENSE[] SEC("license") = "GPL";

#define INNER_SIZE 98 /* of the IP packets that are sent: their checksums are computed whole */
#define GAPS       64 /* so many are remembered */

enum udp_checksum { UDP_NONE, UDP_RIGHT, UDP_WRONG };

/* What was made of a packet. tests/endurance/rig.py reads this layout. */
struct outcome {
	__u8 mac[6]; /* the Ethernet destination */
	__u16 port;  /* the UDP destination less the number of the flow, host order */
	__be32 destination;
	__u8 udp_checksum; /* enum udp_checksum */
	__u8 df;
	__u8 has_id;
	__u8 intact; /* IP header checksum and length are right */
};

/* Of the whole run; likewise. Only one CPU at a time polls the interface. */
struct order {
	__u64 received;
	__u64 next;    /* the number that has to come */
	__u64 missing; /* numbers skipped */
	__u64 late;    /* packets with a number below `next`: late, or for the second time */
	__u64 changes; /* how often DF was other than in the packet before */
	__u64 strange; /* stamped packets of another size, or of another sender */
	__u64 delay;   /* from the stamp to here: the longest, ns */
	__u32 run;
	__u32 df; /* of the last packet */
	__u64 gaps;
	struct gap {
		__u64 time; /* CLOCK_MONOTONIC, ns */
		__u64 number;
		__u64 missing;
	} gap[GAPS];
};

_Static_assert(sizeof(struct outcome) == 16, "outcome");
_Static_assert(sizeof(struct order) == 72 + GAPS * sizeof(struct gap), "order");

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

/* What leaves the pipeline: no VLAN, no IP options, one buffer. */
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

/* Of 16-bit words in memory's order; 0xffff over data that holds its own checksum. */
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
	__u64 one = 1, *count;

	__builtin_memcpy(outcome.mac, packet->ethernet.h_dest, sizeof(outcome.mac));
	count = bpf_map_lookup_elem(&outcomes, &outcome);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&outcomes, &outcome, &one, BPF_ANY);
}

static __always_inline void note_gap(struct order *order, __u64 number, __u64 now)
{
	__u32 place = order->gaps++ % GAPS;

	order->gap[place].time = now;
	order->gap[place].number = order->next;
	order->gap[place].missing = number - order->next;
	order->missing += number - order->next;
}

static __always_inline void note_order(struct order *order, const struct packet *packet)
{
	__u64 number = AT(packet, __u64, stamp.number), sent = AT(packet, __u64, stamp.time);
	__u32 df = (AT(packet, __be16, ip.frag_off) & bpf_htons(IP_DF)) != 0;
	__u64 now = bpf_ktime_get_ns();

	if (order->received++ && df != order->df)
		order->changes++;
	order->df = df;
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

SEC("xdp")
int endurance_judge(struct xdp_md *ctx)
{
	struct packet *packet = (void *)(long)ctx->data;
	__u32 zero = 0;
	struct order *order = bpf_map_lookup_elem(&orders, &zero);

	if (!order || (void *)(packet + 1) > (void *)(long)ctx->data_end ||
	    AT(packet, __be16, ethernet.h_proto) != bpf_htons(ETH_P_IP) ||
	    AT(packet, __u32, stamp.magic) != GENERATE_MAGIC)
		return XDP_PASS;
	if (!order->run)
		order->run = AT(packet, __u32, stamp.run);
	if ((void *)(packet + 1) != (void *)(long)ctx->data_end ||
	    AT(packet, __u32, stamp.run) != order->run) {
		order->strange++;
		return XDP_DROP;
	}
	note_order(order, packet);
	note_outcome(packet);
	return XDP_DROP;
}
