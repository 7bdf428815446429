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

struct datapath_wanted {
	struct ring_buffer *ring;
	void (*want)(void *data, const struct ip_address *address); /* of the call under way */
	void *data;
};

static int take_wanted(void *context, void *bytes, size_t size)
{
	const struct datapath_wanted *wanted = context;
	const struct wanted_neighbour *record = bytes;
	struct ip_address address = {0};

	if (size < sizeof(*record) || (record->version != 4 && record->version != 6))
		return 0;
	address.version = record->version;
	memcpy(address.bytes, record->address, record->version == 4 ? 4 : 16);
	wanted->want(wanted->data, &address);
	return 0;
}

/* NULL with errno when there is no memory. */
static struct datapath_wanted *open_wanted(int map_fd)
{
	struct datapath_wanted *wanted = calloc(1, sizeof(*wanted));

	if (wanted)
		wanted->ring = ring_buffer__new(map_fd, take_wanted, wanted, NULL);
	if (wanted && !wanted->ring) {
		free(wanted);
		return NULL;
	}
	return wanted;
}

static void close_wanted(struct datapath_wanted *wanted)
{
	if (wanted)
		ring_buffer__free(wanted->ring);
	free(wanted);
}

static int map_next_hops(const struct pipeline_bpf *skeleton, struct datapath_control *control)
{
	void *table = datapath_map_array(bpf_map__fd(skeleton->maps.next_hops),
					 PROT_READ | PROT_WRITE, &control->next_hops_size);
	void *only;

	if (table == MAP_FAILED)
		return -errno;
	control->next_hops = table;
	only = datapath_map_array(bpf_map__fd(skeleton->maps.data_only_hop), PROT_READ | PROT_WRITE,
				  &control->only_hop_size);
	if (only == MAP_FAILED)
		return -errno;
	control->only_hop = only;
	return 0;
}

int datapath_take_control(struct datapath *datapath, struct datapath_control *control,
			  struct error *error)
{
	struct pipeline_bpf *skeleton = datapath->skeleton;
	int err = map_next_hops(skeleton, control);

	if (err) {
		datapath_release_control(control);
		return error_set(error, err, "cannot map the next hops: %s", strerror(-err));
	}
	control->beat_fd =
		fcntl(bpf_program__fd(skeleton->progs.vxlan_pipeline_beat), F_DUPFD_CLOEXEC, 0);
	control->egress_map_fd = fcntl(bpf_map__fd(skeleton->maps.egress), F_DUPFD_CLOEXEC, 0);
	control->ingress_map_fd = fcntl(bpf_map__fd(skeleton->maps.ingress), F_DUPFD_CLOEXEC, 0);
	control->wanted = open_wanted(bpf_map__fd(skeleton->maps.wanted));
	if (*datapath->online)
		control->online = calloc(1, CPUS_LIST_SIZE);
	if (control->beat_fd < 0 || control->egress_map_fd < 0 || control->ingress_map_fd < 0 ||
	    !control->wanted || (*datapath->online && !control->online)) {
		err = error_set(error, -errno, "cannot keep hold of the program's maps: %s",
				strerror(errno));

		datapath_release_control(control);
		return err;
	}
	if (control->online)
		strcpy(control->online, datapath->online);
	control->targets = datapath->targets;
	control->target_count = datapath->target_count;
	while (control->only_index < control->target_count &&
	       control->targets[control->only_index].version != 4)
		control->only_index++;
	datapath->targets = NULL;
	datapath->target_count = 0;
	return 0;
}

void datapath_release_control(struct datapath_control *control)
{
	if (control->next_hops)
		munmap(control->next_hops, control->next_hops_size);
	if (control->only_hop)
		munmap(control->only_hop, control->only_hop_size);
	if (control->beat_fd >= 0)
		close(control->beat_fd);
	if (control->egress_map_fd >= 0)
		close(control->egress_map_fd);
	if (control->ingress_map_fd >= 0)
		close(control->ingress_map_fd);
	close_wanted(control->wanted);
	free(control->targets);
	free(control->online);
	*control = (struct datapath_control)DATAPATH_CONTROL_NONE;
}

int datapath_beat(const struct datapath_control *control)
{
	char frame[ETH_ZLEN] = {0}; /* kernels from 6.1 on refuse one without a payload */
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);

	return control->beat_fd < 0 ? -EBADF : bpf_prog_test_run_opts(control->beat_fd, &options);
}

int datapath_wanted_fd(const struct datapath_control *control)
{
	return control->wanted ? ring_buffer__epoll_fd(control->wanted->ring) : -1;
}

void datapath_read_wanted(const struct datapath_control *control,
			  void (*want)(void *data, const struct ip_address *address), void *data)
{
	if (!control->wanted)
		return;
	control->wanted->want = want;
	control->wanted->data = data;
	ring_buffer__consume(control->wanted->ring);
}

static bool has_interface(int map_fd)
{
	struct bpf_devmap_val value;
	uint32_t zero = 0;

	return map_fd < 0 || bpf_map_lookup_elem(map_fd, &zero, &value) == 0 || errno != ENOENT;
}

bool datapath_can_send(const struct datapath_control *control)
{
	return has_interface(control->egress_map_fd);
}

bool datapath_can_pass(const struct datapath_control *control)
{
	return has_interface(control->ingress_map_fd);
}

int datapath_lacks_cpu(const struct datapath_control *control)
{
	char online[CPUS_LIST_SIZE];
	int cpu = -1;

	if (!control->online || cpus_online(online))
		return -1;
	while ((cpu = cpus_next(online, cpu)) >= 0 && cpus_next(control->online, cpu - 1) == cpu)
		;
	/* the thread of one that has gone moves to another CPU, and does not come back with it */
	if (cpu < 0)
		strcpy(control->online, online);
	return cpu;
}
