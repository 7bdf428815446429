// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sender of `generate`: turns each frame of BPF_PROG_RUN into the next packet and redirects it.
 * The kernel recycles frames with whatever receivers have written into them, so the program writes
 * all headers and the payload each time.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "generate.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct generate_config config;

struct generate_state state;
/* not constant: bpf_xdp_store_bytes() of Linux 5.18 takes no read-only memory */
char payload[GENERATE_MAX_FRAME] __attribute__((aligned(8)));

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} egress SEC(".maps");

/* The fields that differ from packet to packet. */
struct fields {
	__u64 number;
	__u64 time;
	__u32 flow;
	__u32 vni;
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
	__be16 id;
};

#define AT(frame, type, field) (*(type *)((frame) + offsetof(struct generate_head, field)))

static __always_inline void next_fields(struct fields *fields)
{
	__u32 flow = state.flow, vni = state.vni;
	__u32 source = config.source, destination = config.destination;
	__u16 source_port = config.source_port, destination_port = config.destination_port;

	fields->number = state.number++;
	state.flow = flow + 1 < config.flows ? flow + 1 : 0;
	state.vni = vni + 1 < config.vnis ? vni + 1 : 0;
	flow += config.first_flow;
	if (config.vary == GENERATE_VARY_SOURCE)
		source += flow;
	else if (config.vary == GENERATE_VARY_DESTINATION)
		destination += flow;
	else if (config.vary == GENERATE_VARY_SOURCE_PORT)
		source_port += flow;
	else
		destination_port += flow;
	fields->flow = flow;
	fields->vni = config.vni + vni;
	fields->source = bpf_htonl(source);
	fields->destination = bpf_htonl(destination);
	fields->source_port = bpf_htons(source_port);
	fields->destination_port = bpf_htons(destination_port);
	fields->id = config.fixed_id ? 0 : bpf_htons((__u16)fields->number);
	fields->time = fields->number & config.time_mask ? 0 : bpf_ktime_get_ns();
}

static __always_inline __u16 checksum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline __u64 words_of(__u64 value)
{
	return (value & 0xffffffff) + (value >> 32);
}

static __always_inline __u16 udp_checksum(const struct fields *fields)
{
	__u16 result = checksum(config.udp_sum + (__u64)fields->source + fields->destination +
				fields->source_port + fields->destination_port + fields->flow +
				words_of(fields->number) + words_of(fields->time));

	return result ? result : 0xffff; /* a computed zero: zero means none */
}

/* The outer source port is a hash of the inner flow, as with AWS and in RFC 7348. */
static __always_inline __be16 outer_source_port(const struct fields *fields)
{
	__u64 hash = ((__u64)fields->source << 32 | fields->destination) * 0x9e3779b97f4a7c15ULL;

	hash ^= hash >> 32;
	hash ^= (__u32)fields->source_port << 16 | fields->destination_port;
	hash *= 0xd6e8feb86659fd93ULL;
	return bpf_htons(0xc000 | hash >> 50);
}

static __always_inline void write_head(void *frame, const struct fields *fields)
{
	__u64 *words = frame;

#pragma unroll
	for (unsigned int i = 0; i < GENERATE_HEAD_WORDS; i++)
		words[i] = config.head[i];
	AT(frame, __be16, outer_udp.source) = outer_source_port(fields);
	AT(frame, __be32, vxlan_vni) = bpf_htonl(fields->vni << 8);
	AT(frame, __be16, ip.id) = fields->id;
	AT(frame, __u16, ip.check) =
		checksum(config.ip_sum + (__u64)fields->source + fields->destination + fields->id);
	AT(frame, __be32, ip.saddr) = fields->source;
	AT(frame, __be32, ip.daddr) = fields->destination;
	AT(frame, __be16, udp.source) = fields->source_port;
	AT(frame, __be16, udp.dest) = fields->destination_port;
	AT(frame, __u16, udp.check) = udp_checksum(fields);
	AT(frame, __u64, stamp.number) = fields->number;
	AT(frame, __u64, stamp.time) = fields->time;
	AT(frame, __u32, stamp.flow) = fields->flow;
}

/* Up to so many bytes, storing words costs less than the helper. */
#define FEW_BYTES 64

static __always_inline void write_rest(struct xdp_md *ctx)
{
	void *rest = (void *)(long)ctx->data + sizeof(struct generate_head);
	void *end = (void *)(long)ctx->data_end;

	if (config.rest > FEW_BYTES || (config.rest && config.rest < 8)) {
		bpf_xdp_store_bytes(ctx, sizeof(struct generate_head), payload, config.rest);
		return;
	}
#pragma unroll
	for (unsigned int i = 0; i < FEW_BYTES; i += 8) {
		if (i + 8 <= config.rest && rest + i + 8 <= end)
			*(__u64 *)(rest + i) = *(__u64 *)(payload + i);
	}
	/* the last word overlaps the one before */
	if (config.rest % 8 && rest + config.rest <= end)
		*(__u64 *)(rest + config.rest - 8) = *(__u64 *)(payload + config.rest - 8);
}

SEC("xdp")
int generate_send(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	struct fields fields;

	if (frame + sizeof(struct generate_head) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	next_fields(&fields);
	write_head(frame, &fields);
	write_rest(ctx);
	return bpf_redirect_map(&egress, 0, XDP_ABORTED);
}

/* For finding out whether the kernel takes such frames, without sending any. */
SEC("xdp")
int generate_none(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

/* For an interface whose driver sends redirected frames only while it carries a program. */
SEC("xdp")
int generate_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
