// SPDX-License-Identifier: GPL-2.0-only
/* The maps that name interfaces: those that frames leave by, and that of listen.interface; and that of threads (bpf/maps.h). */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cpus.h"
#include "datapath/internal.h"

#define EGRESS_MAPS MAX_FRAGMENTS /* one for whole packets, and one for each number of fragments */

static void egress_maps(const struct pipeline_bpf *skeleton, struct bpf_map *maps[EGRESS_MAPS])
{
	struct bpf_map *const all[EGRESS_MAPS] = {skeleton->maps.egress,
#define X(count) skeleton->maps.copies_##count,
						  FRAGMENT_COUNTS(X)
#undef X
	};

	memcpy(maps, all, sizeof(all));
}

/*
 * Linux before 5.14 refuses generic mode to a program that knows a devmap or a cpumap with room for a program.
 * Generic mode fragments nothing and needs no such program; a value begins with the interface.
 */
int datapath_shrink_egress(const struct pipeline_bpf *skeleton)
{
	struct bpf_map *maps[EGRESS_MAPS];
	int err = 0;

	egress_maps(skeleton, maps);
	for (size_t i = 0; !err && i < EGRESS_MAPS; i++)
		err = bpf_map__set_value_size(maps[i], sizeof(uint32_t));
	return err ? err : bpf_map__set_value_size(skeleton->maps.cutters, sizeof(uint32_t));
}

static int fill_ingress(const struct datapath *datapath)
{
	uint32_t zero = 0, listen = (uint32_t)datapath->links.listen_ifindex;
	int fd = bpf_map__fd(datapath->skeleton->maps.ingress);

	return bpf_map_update_elem(fd, &zero, &listen, BPF_ANY) ? -errno : 0;
}

/*
 * A thread for each CPU that is online: the kernel would wait for one on a CPU that is not until that comes. The daemon
 * applies the configuration again when one comes. The kernel waits until the thread runs, which takes a second where threads
 * with real-time priority keep the CPU busy.
 */
static int fill_cutters(struct datapath *datapath)
{
	struct pipeline_bpf *skeleton = datapath->skeleton;
	struct bpf_cpumap_val value = {.qsize = CUTTER_FRAMES,
				       .bpf_prog.fd =
					       bpf_program__fd(skeleton->progs.vxlan_pipeline_cut)};

	for (int cpu = -1; (cpu = cpus_next(datapath->online, cpu)) >= 0;) {
		if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.cutters), &cpu, &value, BPF_ANY))
			return -errno;
		progress_step(&datapath->progress);
	}
	return 0;
}

/*
 * Every entry of the maps that frames leave by names forward.interface and, but for that of frames that are whole, the
 * program that trims.
 */
int datapath_fill_egress(struct datapath *datapath)
{
	struct pipeline_bpf *skeleton = datapath->skeleton;
	bool fragment = skeleton->rodata->config.fragment_in_xdp;
	struct bpf_map *maps[EGRESS_MAPS];
	struct bpf_devmap_val value = {.ifindex = datapath->links.egress_ifindex};
	int trim = fragment ? bpf_program__fd(skeleton->progs.vxlan_pipeline_fragment) : 0;
	int err;

	egress_maps(skeleton, maps);
	for (size_t i = 0; i < (fragment ? EGRESS_MAPS : 1); i++) {
		for (uint32_t key = 0; key < bpf_map__max_entries(maps[i]); key++) {
			value.bpf_prog.fd = i || key != EGRESS_WHOLE ? trim : 0;
			if (bpf_map_update_elem(bpf_map__fd(maps[i]), &key, &value, BPF_ANY))
				return -errno;
		}
	}
	err = fill_cutters(datapath);
	return err ? err : fill_ingress(datapath);
}
