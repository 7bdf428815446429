// SPDX-License-Identifier: GPL-2.0-only
/* Counters that each CPU keeps for itself, added up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

#define BATCH 1024 /* elements read with one system call */

/* Adds up `words` 64-bit words over all CPUs, each CPU's beginning `words` after the one before. */
static void datapath_sum_cpus(const uint64_t *values, size_t words, int cpus, uint64_t *sum)
{
	memset(sum, 0, words * sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++) {
		for (size_t i = 0; i < words; i++)
			sum[i] += values[cpu * words + i];
	}
}

int datapath_read_percpu(int fd, const void *key, void *out, size_t size)
{
	int cpus = libbpf_num_possible_cpus(), err = datapath_check_value(fd, size);
	_cleanup_free_ uint64_t *values = cpus > 0 ? calloc(cpus, size) : NULL;

	if (err || !values)
		return err ? err : -ENOMEM;
	if (bpf_map_lookup_elem(fd, key, values))
		return -errno;
	datapath_sum_cpus(values, size / sizeof(uint64_t), cpus, out);
	return 0;
}

int datapath_read_hits(int fd, struct hits **out, size_t *count)
{
	int cpus = libbpf_num_possible_cpus();
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), position = 0;
	_cleanup_free_ uint32_t *keys = calloc(BATCH, sizeof(*keys));
	_cleanup_free_ struct hits *values = NULL;
	_cleanup_free_ struct hits *hits = NULL;
	size_t done = 0;

	if (cpus < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	values = calloc((size_t)BATCH * cpus, sizeof(*values));
	hits = calloc(info.max_entries, sizeof(*hits));
	if (!keys || !values || !hits)
		return -ENOMEM;
	while (done < info.max_entries) {
		uint32_t number = BATCH;

		/* per-CPU arrays know batches from Linux 5.13 on */
		if (bpf_map_lookup_batch(fd, done ? &position : NULL, &position, keys, values,
					 &number, NULL) &&
		    errno != ENOENT) {
			uint32_t key = done;

			if (bpf_map_lookup_elem(fd, &key, values))
				return -errno;
			number = 1;
		}
		for (uint32_t i = 0; i < number; i++)
			datapath_sum_cpus((const uint64_t *)&values[(size_t)i * cpus], 2, cpus,
					  (uint64_t *)&hits[done + i]);
		done += number ? number : 1;
	}
	*out = hits;
	*count = info.max_entries;
	hits = NULL;
	return 0;
}
