// SPDX-License-Identifier: GPL-2.0-only
/* Counters that each CPU keeps for itself, added up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

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

int datapath_read_vni_hits(int fd, struct hits **out, size_t *count)
{
	int cpus = libbpf_num_possible_cpus(), err = datapath_check_value(fd, sizeof(**out));
	const struct hits *counters;
	uint32_t entries;
	size_t size;

	if (!err)
		err = cpus < 0 ? cpus : datapath_map_entries(fd, &entries);
	if (err)
		return err;
	if (entries < (uint32_t)cpus)
		return -EPROTO;
	*count = entries / cpus;
	counters = datapath_map_array(fd, PROT_READ, &size);
	if (counters == MAP_FAILED)
		return -errno;
	*out = calloc(*count, sizeof(**out));
	if (*out)
		datapath_sum_cpus((const uint64_t *)counters, 2 * *count, cpus, (uint64_t *)*out);
	munmap((void *)counters, size);
	return *out ? 0 : -ENOMEM;
}

void datapath_add_hits(struct hits *to, const struct hits *hits)
{
	to->packets += hits->packets;
	to->bytes += hits->bytes;
}

static int map_only_hits(int fd, const struct pipeline_config *config, struct rule_hits *mapped)
{
	int err = datapath_check_value(fd, ONLY_CPUS * sizeof(*mapped->only));
	const struct only_hits *only;

	if (err)
		return err;
	only = datapath_map_array(fd, PROT_READ, &mapped->only_size);
	if (only == MAP_FAILED)
		return -errno;
	mapped->only = only;
	mapped->only_counter = config->nat4_only.counter;
	return 0;
}

int datapath_map_rule_hits(int fd, int only_fd, const struct pipeline_config *config,
			   struct rule_hits *mapped)
{
	uint32_t entries;
	int err = datapath_check_value(fd, sizeof(*mapped->counters));

	*mapped = (struct rule_hits){.of_each = config->rule_counters};
	if (!err)
		err = datapath_map_entries(fd, &entries);
	if (err)
		return err;
	if (!mapped->of_each || entries < mapped->of_each)
		return -EPROTO;
	mapped->cpus = entries / mapped->of_each;
	mapped->counters = datapath_map_array(fd, PROT_READ, &mapped->size);
	if (mapped->counters == MAP_FAILED)
		return -errno;
	if (config->nat4_rules == 1)
		err = map_only_hits(only_fd, config, mapped);
	if (err)
		datapath_unmap_rule_hits(mapped);
	return err;
}

void datapath_unmap_rule_hits(struct rule_hits *mapped)
{
	munmap((void *)mapped->counters, mapped->size);
	if (mapped->only)
		munmap((void *)mapped->only, mapped->only_size);
}

struct hits datapath_rule_hits(const struct rule_hits *mapped, uint32_t counter)
{
	struct hits sum = {0};

	if (counter >= mapped->of_each)
		return sum;
	for (size_t cpu = 0; cpu < mapped->cpus; cpu++) {
		const volatile struct rule_counter *of_cpu =
			&mapped->counters[cpu * mapped->of_each + counter];

		sum.packets += of_cpu->packets >> RULE_TARGET_BITS;
		sum.bytes += of_cpu->bytes;
	}
	for (size_t cpu = 0; mapped->only && counter == mapped->only_counter && cpu < ONLY_CPUS;
	     cpu++) {
		sum.packets += mapped->only[cpu].hits.packets;
		sum.bytes += mapped->only[cpu].hits.bytes;
	}
	return sum;
}
