// SPDX-License-Identifier: GPL-2.0-only
/* Applying a loaded generation, and removing an instance. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include "base/cleanup.h"
#include "datapath/share.h"
#include "instance/pins.h"

static void __attribute__((format(printf, 2, 3)))
datapath_warn(struct datapath_attached *attached, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(attached->warnings[attached->warning_count++], sizeof(attached->warnings[0]),
		  format, args);
	va_end(args);
}

/* Maps that are there and fit go on; those of another version are noted in change->replaced. */
static int pin_shared(struct datapath_change *change)
{
	struct bpf_map *shared[SHARED_MAPS];

	datapath_shared_maps(change->datapath->skeleton, shared);
	for (size_t i = 0; i < SHARED_MAPS; i++) {
		const char *name = datapath_shared_pins[i];
		int fd = change->pins->shared[i];
		bool pinned = datapath_is_pinned(change->instance, name);
		int err, fits = fd >= 0 ? datapath_map_fits(fd, shared[i]) : 0;

		if (fits < 0)
			return fits;
		if (fits && pinned)
			continue;
		if (fd >= 0 && !fits && shared[i] == change->datapath->skeleton->maps.counters)
			datapath_warn(change->attached,
				      "the counters start anew: another version pinned those that "
				      "are there, and counts otherwise");
		err = datapath_pin(change->instance, name, bpf_map__fd(shared[i]));
		if (err)
			return err;
		if (pinned)
			change->replaced[i] = true;
	}
	return 0;
}

/* The maps whose pins were replaced take their places again. */
static void put_back_shared(const struct datapath_change *change)
{
	for (size_t i = 0; i < SHARED_MAPS; i++) {
		if (change->replaced[i])
			datapath_pin(change->instance, datapath_shared_pins[i],
				     change->pins->shared[i]);
	}
}

static int pin_generation(const struct datapath_change *change)
{
	struct pipeline_bpf *skeleton = change->datapath->skeleton;
	const struct {
		const char *name;
		int fd;
	} pins[] = {
		{PIN_PROGRAM, bpf_program__fd(skeleton->progs.vxlan_pipeline)},
		{PIN_CONSTANTS, bpf_map__fd(skeleton->maps.rodata)},
		{"nat4_slots", bpf_map__fd(skeleton->maps.nat4_slots)},
		{"nat6_slots", bpf_map__fd(skeleton->maps.nat6_slots)},
		{"rule_hits", bpf_map__fd(skeleton->maps.rule_hits)},
		{"only_hits", bpf_map__fd(skeleton->maps.data_only_hits)},
		{"rule_base", bpf_map__fd(skeleton->maps.rule_base)},
		{"rule_names", bpf_map__fd(skeleton->maps.rule_names)},
		{"vni_slots", bpf_map__fd(skeleton->maps.vni_slots)},
		{"vni_hits", bpf_map__fd(skeleton->maps.vni_hits)},
		{"vni_any", bpf_map__fd(skeleton->maps.vni_any)},
		{"vni_base", bpf_map__fd(skeleton->maps.vni_base)},
		{"next_hops", bpf_map__fd(skeleton->maps.next_hops)},
		{PIN_CUTTERS, bpf_map__fd(skeleton->maps.cutters)},
	};
	uint32_t generation = change->datapath->generation;
	char path[INSTANCE_PATH_SIZE], name[PIN_SIZE];
	int err;

	instance_pin_path(path, change->instance, datapath_generation_pin(name, generation, NULL));
	err = instance_remove_tree(path); /* left by a daemon that was killed */
	if (err && err != -ENOENT)
		return err;
	if (mkdir(path, 0700) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		datapath_generation_pin(name, generation, pins[i].name);
		if (bpf_obj_pin(pins[i].fd, instance_pin_path(path, change->instance, name)))
			return -errno;
		progress_step(&change->datapath->progress);
	}
	return 0;
}

/* Waits until no CPU runs the program before any more: that is what synchronize_rcu() means. */
static void wait_for_old_program(void)
{
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(50000);
}

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* Have the counters been replaced by those of this version? */
static bool counts_anew(const struct datapath_change *change)
{
	struct bpf_map *shared[SHARED_MAPS];
	bool anew = false;

	datapath_shared_maps(change->datapath->skeleton, shared);
	for (size_t i = 0; i < SHARED_MAPS; i++)
		anew |= change->replaced[i] &&
			shared[i] == change->datapath->skeleton->maps.counters;
	return anew;
}

static int write_info(const struct datapath_change *change)
{
	int fd = bpf_map__fd(change->datapath->skeleton->maps.instance);
	struct instance_info info = {0};
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &info))
		return -errno;
	/* whoever compares counters takes this for their beginning */
	if (!info.attached_at || counts_anew(change)) {
		info.attached_at = now(CLOCK_REALTIME);
		info.attached_boottime = now(CLOCK_BOOTTIME);
	}
	info.configured_at = now(CLOCK_REALTIME);
	info.generation = change->datapath->generation;
	info.generic = change->datapath->generic;
	if (info.generic && change->config->listen.xdp_mode == XDP_MODE_AUTO)
		info.generic = GENERIC_FALLBACK;
	info.listen_ifindex = change->datapath->links.listen_ifindex;
	info.egress_ifindex = change->datapath->links.egress_ifindex;
	info.pass_mark = change->pins->pass_mark;
	info.fragment_mark = change->datapath->skeleton->rodata->config.fragment_mark;
	snprintf(info.listen, sizeof(info.listen), "%s", change->config->listen.interface);
	snprintf(info.egress, sizeof(info.egress), "%s", change->config->forward.interface);
	info.monitor_interval = change->config->monitor.interval;
	info.target_pps = change->config->monitor.target_pps;
	info.warning_pps = change->config->monitor.warning_pps;
	return bpf_map_update_elem(fd, &zero, &info, BPF_ANY) ? -errno : 0;
}

/* From here on readers see the new generation. */
static int switch_current(const struct datapath_change *change)
{
	char path[INSTANCE_PATH_SIZE], fresh[INSTANCE_PATH_SIZE], target[PIN_SIZE];

	datapath_generation_pin(target, change->datapath->generation, NULL);
	instance_pin_path(path, change->instance, PIN_CURRENT);
	instance_pin_path(fresh, change->instance, PIN_FRESH);
	unlink(fresh);
	if (symlink(target, fresh) < 0 || rename(fresh, path) < 0)
		return -errno;
	return 0;
}

static int find_previous(struct datapath_change *change)
{
	const struct datapath_pins *pins = change->pins;
	uint32_t size = sizeof(change->link), swapped;
	int err;

	change->previous = change->recorded = pins->info.generation;
	if (pins->link < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(pins->link, &change->link, &size))
		return datapath_explain_read(change->instance, -errno, change->error);
	if (!change->link.xdp.ifindex)
		return 0;
	change->attached->adopted = true;
	/* a daemon that was killed here may have swapped the program and not recorded it */
	err = datapath_generation_of(change->instance, change->link.prog_id, &swapped);
	if (err)
		return datapath_explain_read(change->instance, err, change->error);
	/* 0: somebody put another program there; what counted last is what was recorded */
	if (swapped)
		change->previous = swapped;
	return 0;
}

/* All that is pinned before anything is attached. */
static int pin_all(struct datapath_change *change)
{
	int err = instance_make_pins(change->instance, change->error);

	if (err)
		return err;
	err = pin_shared(change);
	if (!err)
		err = pin_generation(change);
	if (err)
		error_set(change->error, err, "cannot pin the state of instance %s: %s",
			  change->instance, strerror(-err));
	return err;
}

static void unpin_all(const struct datapath_change *change)
{
	char path[INSTANCE_PATH_SIZE], name[PIN_SIZE];

	datapath_generation_pin(name, change->datapath->generation, NULL);
	instance_remove_tree(instance_pin_path(path, change->instance, name));
	if (change->pins->info_err == -ENOENT) /* nothing was pinned before */
		instance_remove_pins(change->instance, &(struct error){0});
}

/* The new program runs: nothing that fails from here on may stop it. */
static void settle(const struct datapath_change *change)
{
	struct datapath_attached *attached = change->attached;
	int err;

	if (change->previous)
		wait_for_old_program();
	err = datapath_carry_counters(change);
	if (err)
		datapath_warn(attached,
			      "the counters of rules and VNIs start anew: those of the program "
			      "before cannot be read: %s",
			      strerror(-err));
	err = write_info(change);
	if (!err)
		err = switch_current(change);
	if (err)
		datapath_warn(attached,
			      "the pinned state of instance %s cannot be written: %s; `stats` may "
			      "be wrong until a reload",
			      change->instance, strerror(-err));
	else
		datapath_keep_generation(change->instance, change->datapath->generation);
}

int datapath_apply(struct datapath *datapath, struct datapath_pins *pins,
		   const struct config *config, struct datapath_attached *attached,
		   struct error *error)
{
	struct datapath_change change = {.datapath = datapath,
					 .pins = pins,
					 .instance = pins->instance,
					 .config = config,
					 .attached = attached,
					 .error = error};
	int err;

	memset(attached, 0, sizeof(*attached));
	err = find_previous(&change);
	if (err) /* nothing was changed yet */
		return err;
	err = pin_all(&change);
	if (!err)
		datapath_reserve_vnis(&change);
	if (!err)
		datapath_expect_losses(&change);
	progress_step(&datapath->progress);
	if (!err)
		err = datapath_attach(&change);
	progress_step(&datapath->progress);
	if (!err) {
		datapath_close_links(pins); /* those that were replaced detach here */
		settle(&change);
		return 0;
	}
	put_back_shared(&change);
	unpin_all(&change);
	return err;
}

/* Links by which other instances send stay attached. */
static void datapath_detach_links(const char *instance)
{
	_cleanup_close_ int link = datapath_open_pin(instance, PIN_LINK);
	_cleanup_close_ int egress = datapath_open_pin(instance, PIN_EGRESS_LINK);
	struct share share;

	if (link >= 0)
		share_leave(link, instance);
	/* without pins nobody can tell whether others need it: it detaches with its last holder */
	if (share_ask(egress, instance, &share) == 0 && !*share.listener && !*share.sender &&
	    datapath_is_pinned(instance, PIN_EGRESS_LINK))
		bpf_link_detach(egress);
}

int datapath_remove(const char *instance, struct error *error)
{
	_cleanup_close_ int lock = share_lock();

	libbpf_set_print(datapath_print_libbpf);
	datapath_detach_links(instance);
	datapath_release();
	return instance_remove_pins(instance, error);
}
