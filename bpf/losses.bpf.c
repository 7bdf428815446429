// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the frames that did not leave. A program that answers XDP_REDIRECT or XDP_TX does not
 * learn whether its frame left; the kernel tells that by tracepoints only, which these programs are
 * attached to. They run once for a batch of sent frames, or when something failed.
 *
 * The arguments are those of include/trace/events/xdp.h, of which only the first ones are the same
 * in every kernel from Linux 5.10 on. CO-RE finds the two fields of a device that are read.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "losses.h"

#define PACKET_OUTGOING 4 /* linux/if_packet.h */

char LICENSE[] SEC("license") = "GPL";

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
} __attribute__((preserve_access_index));

struct sk_buff {
	__u32 mark;
	int skb_iif;
	__u8 pkt_type : 3;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_COUNT);
	__type(key, __u32);
	__type(value, struct loss_count);
} losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct loss_watch);
} watched SEC(".maps");

/* The watched instance, if `device` is in its network namespace. */
static __always_inline const struct loss_watch *watch_of(const struct net_device *device)
{
	__u32 zero = 0;
	const struct loss_watch *watch = bpf_map_lookup_elem(&watched, &zero);

	if (!watch || device->nd_net.net->ns.inum != watch->netns)
		return NULL;
	return watch;
}

static __always_inline void count(__u32 kind, int packets, int error)
{
	struct loss_count *loss = bpf_map_lookup_elem(&losses, &kind);

	if (!loss || packets <= 0)
		return;
	loss->packets += packets;
	loss->last_at = bpf_ktime_get_ns();
	loss->error = error;
}

/*
 * A tracepoint's arguments are words; the kernel knows which are pointers, and what they point to.
 */
static __always_inline const struct net_device *device_of(__u64 argument)
{
	return (const struct net_device *)argument;
}

/* arguments: from, program, target, error, ... */
SEC("tp_btf/xdp_redirect_err")
int loss_redirect(__u64 *arguments)
{
	const struct net_device *from = device_of(arguments[0]);
	const struct loss_watch *watch = watch_of(from);

	if (watch && (__u32)from->ifindex == watch->listen_ifindex)
		count(LOSS_REDIRECT, 1, (int)arguments[3]);
	return 0;
}

/* arguments: map's number, taken, drops, ... The threads of map `cutters` have not kept up. */
SEC("tp_btf/xdp_cpumap_enqueue")
int loss_cutters(const __u64 *arguments)
{
	__u32 zero = 0;
	const struct loss_watch *watch = bpf_map_lookup_elem(&watched, &zero);

	if (watch &&
	    ((__u32)arguments[0] == watch->cutters[0] || (__u32)arguments[0] == watch->cutters[1]))
		count(LOSS_REDIRECT, (int)arguments[2], -ENOBUFS);
	return 0;
}

/* arguments: from, to, sent, drops, error */
SEC("tp_btf/xdp_devmap_xmit")
int loss_send(__u64 *arguments)
{
	const struct net_device *from = device_of(arguments[0]), *to = device_of(arguments[1]);
	const struct loss_watch *watch;
	int drops = (int)arguments[3];

	if (drops <= 0)
		return 0;
	watch = watch_of(to);
	if (watch && (__u32)to->ifindex == watch->egress_ifindex &&
	    (__u32)from->ifindex == watch->listen_ifindex)
		count(LOSS_SEND, drops, (int)arguments[4]);
	return 0;
}

/* arguments: device, sent, drops, error */
SEC("tp_btf/xdp_bulk_tx")
int loss_transmit(__u64 *arguments)
{
	const struct net_device *device = device_of(arguments[0]);
	const struct loss_watch *watch;
	int drops = (int)arguments[2];

	if (drops <= 0)
		return 0;
	watch = watch_of(device);
	if (watch && (__u32)device->ifindex == watch->listen_ifindex)
		count(LOSS_TRANSMIT, drops, (int)arguments[3]);
	return 0;
}

/*
 * arguments: device, program, action. Called by drivers that send each frame by itself, and in
 * generic mode, for redirected frames, too.
 */
SEC("tp_btf/xdp_exception")
int loss_exception(__u64 *arguments)
{
	const struct net_device *device = device_of(arguments[0]);
	const struct loss_watch *watch;

	if ((__u32)arguments[2] != XDP_TX)
		return 0;
	watch = watch_of(device);
	if (!watch)
		return 0;
	if ((__u32)device->ifindex == watch->listen_ifindex)
		count(LOSS_TRANSMIT, 1, 0);
	else if ((__u32)device->ifindex == watch->egress_ifindex)
		count(LOSS_SEND, 1, 0);
	return 0;
}

/* One of those that are made for who listens on the way out. */
static __always_inline bool is_outgoing_copy(const struct sk_buff *skb)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): it does not know libbpf's macro */
	return BPF_CORE_READ_BITFIELD(skb, pkt_type) == PACKET_OUTGOING;
}

/*
 * arguments: skb, ... The kernel frees here the packets that it drops; it frees packets that
 * arrived by consume_skb(). Counts passed packets, which nftables has marked when they came in
 * (src/net/silence.h). Does not count the kernel's own answers, which have the mark but no incoming
 * interface, nor copies for listeners on the way out (PACKET_OUTGOING).
 */
SEC("tp_btf/kfree_skb")
int loss_passed(const __u64 *arguments)
{
	const struct sk_buff *skb = (const struct sk_buff *)arguments[0];
	__u32 zero = 0, mark = skb->mark;
	const struct loss_watch *watch;

	if (!mark)
		return 0;
	watch = bpf_map_lookup_elem(&watched, &zero);
	if (!watch || mark != watch->pass_mark || (__u32)skb->skb_iif != watch->listen_ifindex ||
	    is_outgoing_copy(skb))
		return 0;
	count(LOSS_PASSED, 1, 0);
	return 0;
}
