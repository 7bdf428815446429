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

/* Each CPU's counters, to be freed. NULL with errno: there are none that this build goes on with. */
static struct counters *read_counters(int fd, int cpus)
{
	struct counters *counters = calloc(cpus, sizeof(*counters));
	uint32_t zero = 0;
	int err = datapath_check_value(fd, sizeof(*counters));

	if (counters && (err || bpf_map_lookup_elem(fd, &zero, counters))) {
		if (!err)
			err = -errno;
		free(counters);
		errno = -err;
		return NULL;
	}
	return counters;
}

/* Might a CPU take a generation with this mark for one that all its frames left with? */
static bool is_known(const struct counters *counters, int cpus, uint64_t mark)
{
	for (int cpu = 0; counters && cpu < cpus; cpu++) {
		if (counters[cpu].trimming >> 16 == (mark & TRIMMING_BITS))
			return true;
	}
	return false;
}

/*
 * A mark that is random but for the bits that are compared. Those are not `running`'s, which CPUs may write yet, nor any
 * that a CPU knows: what the instance says of itself would not do, as a daemon that is killed may not have said it.
 */
static int fresh_mark(const struct datapath_pins *pins, uint64_t running, __u64 *mark)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct counters *counters =
		pins ? read_counters(pins->shared[SHARED_COUNTERS], cpus) : NULL;

	if (getrandom(mark, sizeof(*mark), 0) != sizeof(*mark))
		return -errno;
	for (uint64_t tries = 0; tries <= TRIMMING_BITS; tries++) {
		if (((*mark ^ running) & TRIMMING_BITS) && !is_known(counters, cpus, *mark))
			return 0;
		*mark = (*mark & ~TRIMMING_BITS) | ((*mark + 1) & TRIMMING_BITS);
	}
	return -EOVERFLOW;
}

int datapath_choose_shim(const struct datapath_pins *pins, __u64 *mark)
{
	struct pipeline_config config = {0};
	uint32_t generation;

	if (!pins || !runs(pins, &generation) || !generation ||
	    datapath_read_constants(pins->instance, generation, &config) || !config.fragment_in_xdp)
		return fresh_mark(pins, config.fragment_mark, mark);
	*mark = config.fragment_mark;
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
	counters = read_counters(bpf_map__fd(skeleton->maps.counters), cpus);
	if (!counters)
		return -errno;
	for (int cpu = 0; cpu < cpus; cpu++)
		counters[cpu].trimming = TRIMMING_OF(config->fragment_mark) + TRIMMING_AT_FIRST;
	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.counters), &zero, counters, BPF_ANY)
		       ? -errno
		       : 0;
}
