// SPDX-License-Identifier: GPL-2.0-only
/* What a daemon does to the current generation while it runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/if_ether.h>

#include "datapath/internal.h"

int datapath_take_control(struct datapath *datapath, struct datapath_control *control,
			  struct error *error)
{
	struct pipeline_bpf *skeleton = datapath->skeleton;
	void *table = datapath_map_array(bpf_map__fd(skeleton->maps.next_hops),
					 PROT_READ | PROT_WRITE, &control->next_hops_size);

	if (table == MAP_FAILED)
		return error_set(error, -errno, "cannot map the next hops: %s", strerror(errno));
	control->next_hops = table;
	control->beat_fd =
		fcntl(bpf_program__fd(skeleton->progs.vxlan_pipeline_beat), F_DUPFD_CLOEXEC, 0);
	control->targets = datapath->targets;
	control->target_count = datapath->target_count;
	datapath->targets = NULL;
	datapath->target_count = 0;
	return 0;
}

void datapath_release_control(struct datapath_control *control)
{
	if (control->next_hops)
		munmap(control->next_hops, control->next_hops_size);
	if (control->beat_fd >= 0)
		close(control->beat_fd);
	free(control->targets);
	*control = (struct datapath_control){.beat_fd = -1};
}

int datapath_beat(const struct datapath_control *control)
{
	char frame[ETH_ZLEN] = {0}; /* kernels from 6.1 on refuse one without a payload */
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);

	return control->beat_fd < 0 ? 0 : bpf_prog_test_run_opts(control->beat_fd, &options);
}
