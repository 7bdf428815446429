// SPDX-License-Identifier: GPL-2.0-only
/* Peer: the same job in a traffic control program, on the kernel's packets (sk_buff). */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "rewrite.h"

char LICENSE[] SEC("license") = "GPL";

struct tc_way {
	__u32 ifindex;
	__u16 addresses[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tc_way);
} tc_ways SEC(".maps");

SEC("tc")
int bench_tc(struct __sk_buff *skb)
{
	void *frame = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u16 *to;
	__u32 zero = 0;
	struct tc_way *way = bpf_map_lookup_elem(&tc_ways, &zero);

	if (!way || !is_wanted(frame, end))
		return TC_ACT_OK;
	/* removes bytes behind the outer Ethernet header, which becomes the packet's */
	if (bpf_skb_adjust_room(skb, -BENCH_INNER, BPF_ADJ_ROOM_MAC, 0))
		return TC_ACT_SHOT;
	frame = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (frame + BENCH_ETHERNET + sizeof(struct iphdr) + sizeof(struct udphdr) > end)
		return TC_ACT_SHOT;
	rewrite(frame + BENCH_ETHERNET);
	to = frame;
	for (int i = 0; i < 6; i++)
		to[i] = way->addresses[i];
	return bpf_redirect(way->ifindex, 0);
}
