// SPDX-License-Identifier: GPL-2.0-only
#include "generate/receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "bpf/generate.h"
#include "base/boot_id.h"
#include "base/cleanup.h"
#include "generate/internal.h"
#include "net/xdp_program.h"

#include "receive.skel.h"

/* From this MTU on drivers ask for a program that takes frames in several buffers. */
#define ONE_BUFFER_MTU 3400

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

struct receiver {
	struct receive_bpf *skeleton;
	int link;
	bool generic;
};

static int receiver_load(struct receiver *receiver, const struct receiver_options *options,
			 struct error *error)
{
	struct bpf_program *program;
	int err;

	receiver->skeleton = receive_bpf__open();
	if (!receiver->skeleton)
		return error_set(error, -errno, "cannot open the receiving program: %s",
				 strerror(errno));
	receiver->skeleton->rodata->config.port = htons(options->port);
	receiver->skeleton->rodata->config.boot = boot_id();
	receiver->skeleton->rodata->config.pass = options->pass;
	program = receiver->skeleton->progs.generate_receive;
	if (options->mtu > ONE_BUFFER_MTU)
		bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_XDP_HAS_FRAGS);
	err = receive_bpf__load(receiver->skeleton);
	return err ? generator_explain_load(err, "receiving", "5.12", error) : 0;
}

static int receiver_attach(struct receiver *receiver, const struct receiver_options *options,
			   uint32_t mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, link, .flags = mode);
	int fd = bpf_program__fd(receiver->skeleton->progs.generate_receive);

	receiver->generic = mode == XDP_FLAGS_SKB_MODE;
	receiver->link = bpf_link_create(fd, options->ifindex, BPF_XDP, &link);
	return receiver->link < 0 ? receiver->link : 0;
}

/* Names the program in the way. One of ours needs its own words: `generate` could send here. */
static int in_the_way(const struct receiver_options *options, struct error *error)
{
	struct xdp_program other = xdp_program_on(options->ifindex);

	if (!xdp_program_ours(&other))
		return xdp_program_in_the_way(options->ifindex, options->interface, error);
	return error_set(error, -EBUSY,
			 "%s carries the program '%s' (id %u) of a vxlan-pipeline already; receive "
			 "on the far side of it",
			 options->interface, other.name, other.id);
}

static int attach_somehow(struct receiver *receiver, const struct receiver_options *options,
			  struct error *error)
{
	int err;

	if (xdp_program_on(options->ifindex).id)
		return in_the_way(options, error);
	err = receiver_attach(receiver, options, XDP_FLAGS_DRV_MODE);
	if (err)
		err = receiver_attach(receiver, options, XDP_FLAGS_SKB_MODE);
	if (err)
		return error_set(error, err, "%s takes no XDP program: %s", options->interface,
				 strerror(-err));
	return 0;
}

int receiver_open(struct receiver **out, const struct receiver_options *options,
		  struct error *error)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	int err;

	if (!receiver)
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	libbpf_set_print(NULL);
	receiver->link = -1;
	err = receiver_load(receiver, options, error);
	if (!err)
		err = attach_somehow(receiver, options, error);
	if (err) {
		receiver_close(receiver);
		return err;
	}
	*out = receiver;
	return 0;
}

bool receiver_generic(const struct receiver *receiver)
{
	return receiver->generic;
}

/* The times of the first and of the last packet that carries a time. */
struct span {
	uint64_t first;
	uint64_t last;
};

static void add_latency(struct latency *latency, const struct receive_counts *cpu)
{
	struct latency part = {
		.sum = cpu->latency_sum,
		.minimum = cpu->latency_min,
		.maximum = cpu->latency_max,
	};

	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		part.bucket[i] = cpu->latency[i];
		part.samples += cpu->latency[i];
	}
	latency_merge(latency, &part);
}

static void add_cpu(struct receiver_report *report, struct span *span,
		    const struct receive_counts *cpu)
{
	report->packets += cpu->packets;
	report->bytes += cpu->bytes;
	report->duplicates += cpu->duplicates;
	report->reordered += cpu->reordered;
	report->encapsulated += cpu->encapsulated;
	report->other_runs += cpu->other_runs;
	report->first_fragments += cpu->first_fragments;
	report->later_fragments += cpu->later_fragments;
	report->other_clock += cpu->other_clock;
	if (cpu->first_seen && (!span->first || cpu->first_seen < span->first))
		span->first = cpu->first_seen;
	if (cpu->last_seen > span->last)
		span->last = cpu->last_seen;
	add_latency(&report->latency, cpu);
}

/* A sender thread's packets may have come in on several CPUs. */
static void add_thread(struct receiver_report *report, const struct receive_counts *counts,
		       int cpus, unsigned int thread)
{
	struct receive_thread sum = {.first = UINT64_MAX};

	for (int cpu = 0; cpu < cpus; cpu++) {
		const struct receive_thread *part = &counts[cpu].thread[thread];

		if (!part->end)
			continue;
		sum.unique += part->unique;
		sum.end = part->end > sum.end ? part->end : sum.end;
		sum.first = part->first < sum.first ? part->first : sum.first;
	}
	if (!sum.end)
		return;
	report->unique += sum.unique;
	/* CPUs are not read at one instant: some may be ahead of the highest number */
	report->lost += sum.end > sum.unique ? sum.end - sum.unique : 0;
	report->lost_before_first += sum.first;
}

int receiver_read(const struct receiver *receiver, struct receiver_report *report,
		  struct error *error)
{
	const int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct receive_counts *counts = NULL;
	struct span span = {0};
	uint32_t zero = 0;

	_Static_assert(sizeof(*counts) % 8 == 0, "as the kernel lays out the CPUs' values");
	if (cpus < 0)
		return error_set(error, cpus, "cannot count the CPUs: %s", strerror(-cpus));
	counts = calloc(cpus, sizeof(*counts));
	if (!counts)
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	if (bpf_map_lookup_elem(bpf_map__fd(receiver->skeleton->maps.counts), &zero, counts))
		return error_set(error, -errno, "cannot read the counters: %s", strerror(errno));
	memset(report, 0, sizeof(*report));
	for (int cpu = 0; cpu < cpus; cpu++)
		add_cpu(report, &span, &counts[cpu]);
	for (unsigned int thread = 0; thread < GENERATE_MAX_THREADS; thread++)
		add_thread(report, counts, cpus, thread);
	report->seconds = (span.last - span.first) / 1e9;
	return 0;
}

void receiver_close(struct receiver *receiver)
{
	if (!receiver)
		return;
	cleanup_close(&receiver->link);
	receive_bpf__destroy(receiver->skeleton);
	free(receiver);
}
