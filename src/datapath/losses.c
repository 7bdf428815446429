// SPDX-License-Identifier: GPL-2.0-only
/* Counting the packets that were believed sent (bpf/losses.bpf.c). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/internal.h"
#include "losses.skel.h"

#define PIN_LOSSES  "losses"
#define PIN_WATCHED "watched"

/* The maps, and the programs' links, each of which has its program's name. */
static const char *const loss_pins[] = {PIN_LOSSES,    PIN_WATCHED,     "loss_redirect",
					"loss_send",   "loss_transmit", "loss_exception",
					"loss_passed", "loss_cutters"};

/* The number by which the kernel's programs know this process's network namespace. */
static uint32_t own_netns(void)
{
	struct stat status;

	return stat("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
}

static uint32_t number_of(int map_fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return map_fd < 0 || bpf_obj_get_info_by_fd(map_fd, &info, &size) ? 0 : info.id;
}

/* The number of the current generation's map of threads; 0: not known. */
static uint32_t cutters_of(const char *instance)
{
	uint32_t generation;
	_cleanup_close_ int fd =
		datapath_current_generation(instance, &generation)
			? -1
			: datapath_open_generation_pin(instance, generation, PIN_CUTTERS);

	return number_of(fd);
}

/* Adds the number of a map of threads to those that are watched. */
static void add_cutters(struct loss_watch *watch, uint32_t number)
{
	if (!number || number == watch->cutters[0])
		return;
	watch->cutters[1] = watch->cutters[0];
	watch->cutters[0] = number;
}

void datapath_expect_losses(const struct datapath_change *change)
{
	_cleanup_close_ int fd = datapath_open_pin(change->instance, PIN_WATCHED);
	struct loss_watch watch;
	uint32_t zero = 0;

	if (fd < 0 || datapath_check_value(fd, sizeof(watch)) ||
	    bpf_map_lookup_elem(fd, &zero, &watch))
		return;
	add_cutters(&watch, number_of(bpf_map__fd(change->datapath->skeleton->maps.cutters)));
	bpf_map_update_elem(fd, &zero, &watch, BPF_ANY);
}

static int write_watch(const char *instance, int map_fd, const struct datapath_links *links)
{
	struct instance_info info = {0};
	struct loss_watch watch;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(map_fd, &zero, &watch))
		return -errno;
	watch.netns = own_netns();
	watch.listen_ifindex = links->listen_ifindex;
	watch.egress_ifindex = links->egress_ifindex;
	watch.pass_mark = datapath_read_info(instance, &info) ? 0 : info.pass_mark;
	add_cutters(&watch, cutters_of(instance));
	return bpf_map_update_elem(map_fd, &zero, &watch, BPF_ANY) ? -errno : 0;
}

/* Attaches a program to its tracepoint, for as long as the pin is there. */
static int attach_and_pin(const char *instance, const struct bpf_program *program)
{
	_cleanup_close_ int fd = bpf_raw_tracepoint_open(NULL, bpf_program__fd(program));

	return fd < 0 ? -errno : datapath_pin(instance, bpf_program__name(program), fd);
}

static void unpin_losses(const char *instance)
{
	char path[INSTANCE_PATH_SIZE];

	for (size_t i = 0; i < sizeof(loss_pins) / sizeof(loss_pins[0]); i++)
		unlink(instance_pin_path(path, instance, loss_pins[i]));
}

/*
 * The maps are pinned last: what is there to be read is counted by all of the programs. On failure none
 * stays, as those of two builds, or some of one, would count wrong.
 */
static int attach_all(const char *instance, struct losses_bpf *skeleton,
		      const struct datapath_links *links)
{
	struct bpf_program *program;
	int err = write_watch(instance, bpf_map__fd(skeleton->maps.watched), links);

	bpf_object__for_each_program(program, skeleton->obj)
	{
		if (!err)
			err = attach_and_pin(instance, program);
	}
	if (!err)
		err = datapath_pin(instance, PIN_LOSSES, bpf_map__fd(skeleton->maps.losses));
	if (!err)
		err = datapath_pin(instance, PIN_WATCHED, bpf_map__fd(skeleton->maps.watched));
	if (err)
		unpin_losses(instance);
	return err;
}

/* Loads the programs and puts them in the place of those of an earlier daemon. */
static int losses_replace(const char *instance, const struct datapath_links *links)
{
	struct losses_bpf *skeleton = losses_bpf__open();
	_cleanup_close_ int counted = datapath_open_pin(instance, PIN_LOSSES);
	int err = skeleton ? 0 : -errno;

	if (!err && counted >= 0)
		err = datapath_map_fits(counted, skeleton->maps.losses);
	if (err > 0)
		err = bpf_map__reuse_fd(skeleton->maps.losses, counted);
	if (!err)
		err = losses_bpf__load(skeleton);
	if (!err)
		err = attach_all(instance, skeleton, links);
	losses_bpf__destroy(skeleton);
	return err;
}

/* Pins again what this process holds of it, where the pins are gone. */
static int pin_held(const char *instance)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(loss_pins) / sizeof(loss_pins[0]); i++) {
		_cleanup_close_ int fd = datapath_open_pin(instance, loss_pins[i]);

		if (fd < 0)
			err = fd;
		else if (!datapath_is_pinned(instance, loss_pins[i]))
			err = datapath_pin(instance, loss_pins[i], fd);
	}
	return err;
}

int datapath_watch_losses(const char *instance, const struct datapath_links *links, bool anew)
{
	_cleanup_close_ int watched = datapath_open_pin(instance, PIN_WATCHED);

	if (anew || watched < 0 || pin_held(instance))
		return losses_replace(instance, links);
	return write_watch(instance, watched, links);
}

int datapath_read_losses(const char *instance, struct datapath_losses *losses)
{
	_cleanup_close_ int fd = datapath_open_pin(instance, PIN_LOSSES);
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct loss_count *counts = cpus > 0 ? calloc(cpus, sizeof(*counts)) : NULL;
	int err = fd < 0 ? fd : datapath_check_value(fd, sizeof(*counts));

	memset(losses, 0, sizeof(*losses));
	if (err || !counts)
		return err ? err : -ENOMEM;
	for (uint32_t kind = 0; kind < LOSS_COUNT; kind++) {
		uint64_t latest = 0;

		if (bpf_map_lookup_elem(fd, &kind, counts))
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++) {
			losses->of[kind].packets += counts[cpu].packets;
			if (counts[cpu].last_at <= latest)
				continue;
			latest = counts[cpu].last_at;
			losses->of[kind].error = counts[cpu].error;
		}
	}
	losses->counted = true;
	return 0;
}
