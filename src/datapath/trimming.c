// SPDX-License-Identifier: GPL-2.0-only
/* Whether frames leave with the program that trims, over generations: enum egress_entry in bpf/pipeline.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

/* Is a program on listen.interface, so that frames may be on their way? *generation: its own; 0: it is somebody else's. */
static bool runs(const struct datapath_pins *pins, uint32_t *generation)
{
	struct bpf_link_info link = {0};
	uint32_t size = sizeof(link);

	*generation = 0;
	if (pins->link < 0)
		return false;
	if (bpf_obj_get_info_by_fd(pins->link, &link, &size) ||
	    datapath_generation_of(pins->instance, link.prog_id, generation))
		return true;
	return link.xdp.ifindex;
}

int datapath_choose_shim(const struct datapath_pins *pins, __u64 *mark)
{
	const uint64_t last = pins && !pins->info_err ? pins->info.fragment_mark : 0;
	struct pipeline_config config;
	uint32_t generation;

	if (pins && runs(pins, &generation) && generation &&
	    datapath_read_constants(pins->instance, generation, &config) == 0 &&
	    config.fragment_in_xdp) {
		*mark = config.fragment_mark;
		return 0;
	}
	if (getrandom(mark, sizeof(*mark), 0) != sizeof(*mark))
		return -errno;
	if (last)
		*mark = (*mark & ~TRIMMING_BITS) | ((last + 1) & TRIMMING_BITS);
	return 0;
}

int datapath_begin_trimming(const struct datapath *datapath, const struct datapath_pins *pins)
{
	const struct pipeline_bpf *skeleton = datapath->skeleton;
	const struct pipeline_config *config = &skeleton->rodata->config;
	_cleanup_free_ struct counters *counters = NULL;
	uint32_t zero = 0, generation;
	int cpus = libbpf_num_possible_cpus();

	/* counters that others write to cannot be written without losing what they count meanwhile */
	if (!config->fragment_in_xdp || runs(pins, &generation))
		return 0;
	counters = cpus > 0 ? calloc(cpus, sizeof(*counters)) : NULL;
	if (!counters)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.counters), &zero, counters))
		return -errno;
	for (int cpu = 0; cpu < cpus; cpu++)
		counters[cpu].trimming = TRIMMING_OF(config->fragment_mark) + TRIMMING_AT_FIRST;
	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.counters), &zero, counters, BPF_ANY)
		       ? -errno
		       : 0;
}
