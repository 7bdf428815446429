// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times every run of an interface's XDP program until standard input ends, then prints a histogram:
 * lines "NS RUNS", where NS is a bucket's smallest value minus the cost of reading the clock. The
 * program stays in force.
 *
 * usage: timing INTERFACE PROGRAM-ID LINK    LINK: the path of the attachment's pin, or -
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <linux/if_link.h>

#include "bench.h"
#include "bench/timing.skel.h"

struct target {
	int ifindex;
	int program;
	int link; /* -1: attached without one */
};

static int complain(const char *what)
{
	fprintf(stderr, "timing: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The lowest of all CPUs that ran. */
static unsigned long long clock_cost(const struct timing *timings, int cpus)
{
	unsigned long long least = 0;

	for (int i = 0; i < cpus; i++) {
		if (timings[i].clock && (!least || timings[i].clock < least))
			least = timings[i].clock;
	}
	return least;
}

static int print_histogram(const struct timing_bpf *skeleton)
{
	int cpus = libbpf_num_possible_cpus();
	struct timing *timings = calloc(cpus > 0 ? cpus : 1, sizeof(*timings));
	unsigned long long clock;
	__u32 zero = 0;

	if (!timings || cpus < 1 ||
	    bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.timings), &zero, timings)) {
		free(timings);
		return complain("cannot read the times");
	}
	clock = clock_cost(timings, cpus);
	for (unsigned int bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
		unsigned long long start = latency_bucket_start(bucket), runs = 0;

		for (int i = 0; i < cpus; i++)
			runs += timings[i].bucket[bucket];
		if (runs)
			printf("%llu %llu\n", start > clock ? start - clock : 0, runs);
	}
	free(timings);
	return 0;
}

/* Replaces the attached program, without a gap. */
static int swap(const struct target *target, int program)
{
	if (target->link >= 0)
		return bpf_link_update(target->link, program, NULL);
	return bpf_xdp_attach(target->ifindex, program, XDP_FLAGS_DRV_MODE, NULL);
}

static int watch(struct timing_bpf *skeleton, const struct target *target)
{
	__u32 zero = 0;
	char line[16];
	int status;

	if (timing_bpf__load(skeleton))
		return complain("load");
	if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.timed), &zero, &target->program,
				BPF_ANY))
		return complain("cannot call the program");
	skeleton->links.timing_end = bpf_program__attach(skeleton->progs.timing_end);
	if (!skeleton->links.timing_end)
		return complain("cannot watch redirects");
	if (swap(target, bpf_program__fd(skeleton->progs.timing_begin)))
		return complain("cannot stand before the program");
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	status = print_histogram(skeleton);
	return swap(target, target->program) ? complain("cannot leave the program") : status;
}

int main(int argc, char **argv)
{
	struct target target = {.link = -1};
	struct timing_bpf *skeleton;
	int status;

	if (argc != 4) {
		fputs("usage: timing INTERFACE PROGRAM-ID LINK\n", stderr);
		return 2;
	}
	target.ifindex = (int)if_nametoindex(argv[1]);
	target.program = bpf_prog_get_fd_by_id(strtoul(argv[2], NULL, 10));
	if (strcmp(argv[3], "-") != 0) {
		target.link = bpf_obj_get(argv[3]);
		if (target.link < 0)
			return complain(argv[3]);
	}
	skeleton = timing_bpf__open();
	if (target.program < 0 || !target.ifindex || !skeleton)
		return complain(argv[1]);
	status = watch(skeleton, &target);
	timing_bpf__destroy(skeleton);
	return status;
}
