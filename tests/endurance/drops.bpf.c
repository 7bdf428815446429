// SPDX-License-Identifier: GPL-2.0-only
/* Counts frames that are lost between programs, by interface, as the kernel's tracepoints tell. */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* The members of the kernel's structures that are read here; loading this finds their offsets. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};
#pragma clang attribute pop

enum place { DEVMAP_XMIT, REDIRECT, EXCEPTION };

/* tests/endurance/rig.py reads this layout. */
struct drop {
	__u32 namespace; /* inode of the network namespace */
	__u32 ifindex;   /* the egress interface, or the one with the program */
	__u32 place;     /* enum place */
	__s32 code;      /* an errno, or the program's answer */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct drop);
	__type(value, __u64);
} drops SEC(".maps");

static __always_inline int note(const struct net_device *device, enum place place, int code,
				__u64 frames)
{
	struct drop drop = {
		.namespace = BPF_CORE_READ(device, nd_net.net, ns.inum),
		.ifindex = BPF_CORE_READ(device, ifindex),
		.place = place,
		.code = code,
	};
	__u64 zero = 0, *count;

	bpf_map_update_elem(&drops, &drop, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&drops, &drop);
	if (count)
		__sync_fetch_and_add(count, frames);
	return 0;
}

/* Each tracepoint passes its arguments as an array of words. */

SEC("tp_btf/xdp_devmap_xmit")
int devmap_xmit(const __u64 *arguments) /* from, to, sent, drops, err */
{
	const struct net_device *to = (void *)arguments[1];
	int lost = arguments[3], err = arguments[4];

	return lost > 0 ? note(to, DEVMAP_XMIT, err, lost) : 0;
}

SEC("tp_btf/xdp_redirect_err")
int redirect_err(const __u64 *arguments) /* device, program, target, err, ... */
{
	return note((void *)arguments[0], REDIRECT, arguments[3], 1);
}

SEC("tp_btf/xdp_exception")
int exception(const __u64 *arguments) /* device, program, action */
{
	return note((void *)arguments[0], EXCEPTION, arguments[2], 1);
}
