// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times every run of a loaded BPF program until standard input ends, and prints the histogram:
 * lines "NS RUNS", NS the smallest value of a bucket.
 *
 * usage: timing PROGRAM-ID FUNCTION
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench.h"
#include "bench/timing.skel.h"

static int complain(const char *what)
{
	fprintf(stderr, "timing: %s: %s\n", what, strerror(errno));
	return 1;
}

static int print_histogram(const struct timing_bpf *skeleton)
{
	int cpus = libbpf_num_possible_cpus();
	struct timing *timings = calloc(cpus > 0 ? cpus : 1, sizeof(*timings));
	__u32 zero = 0;

	if (!timings || cpus < 1 ||
	    bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.timings), &zero, timings)) {
		free(timings);
		return complain("cannot read the times");
	}
	for (unsigned int bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
		unsigned long long runs = 0;

		for (int i = 0; i < cpus; i++)
			runs += timings[i].bucket[bucket];
		if (runs)
			printf("%llu %llu\n", (unsigned long long)latency_bucket_start(bucket),
			       runs);
	}
	free(timings);
	return 0;
}

static int watch(struct timing_bpf *skeleton, int target, const char *function)
{
	char line[16];

	if (bpf_program__set_attach_target(skeleton->progs.timing_begin, target, function) ||
	    bpf_program__set_attach_target(skeleton->progs.timing_end, target, function) ||
	    timing_bpf__load(skeleton) || timing_bpf__attach(skeleton))
		return complain(function);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return print_histogram(skeleton);
}

int main(int argc, char **argv)
{
	struct timing_bpf *skeleton;
	int target, status;

	if (argc != 3) {
		fputs("usage: timing PROGRAM-ID FUNCTION\n", stderr);
		return 2;
	}
	target = bpf_prog_get_fd_by_id(strtoul(argv[1], NULL, 10));
	skeleton = timing_bpf__open();
	if (target < 0 || !skeleton)
		return complain(argv[1]);
	status = watch(skeleton, target, argv[2]);
	timing_bpf__destroy(skeleton);
	close(target);
	return status;
}
