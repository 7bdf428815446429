// SPDX-License-Identifier: GPL-2.0-only
/* Putting a loaded generation in force, and taking an instance away. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_link.h>
#include <linux/membarrier.h>

#include "cleanup.h"
#include "datapath_internal.h"
#include "instance.h"

/* A commit under way, and what of it has to be undone if it fails. */
struct commit {
	struct datapath *datapath;
	const char *instance;
	const struct config *config;
	struct datapath_attached *attached;
	struct error *error;
	uint32_t previous; /* generation in force before; 0: none */
	bool fresh;        /* nothing was pinned before */
	int link_fd;       /* the link before, or -1 */
	struct bpf_link_info link;
	bool new_egress; /* this commit pinned the egress link */
};

static int pin(const char *instance, const char *name, int fd)
{
	char path[INSTANCE_PATH_SIZE], fresh[INSTANCE_PATH_SIZE + 4];

	snprintf(fresh, sizeof(fresh), "%s.new", instance_pin_path(path, instance, name));
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	/* what was pinned there before goes at the same instant */
	if (rename(fresh, path) < 0) {
		int err = -errno;

		unlink(fresh);
		return err;
	}
	return 0;
}

static int pin_shared(const struct commit *commit)
{
	struct pipeline_bpf *skeleton = commit->datapath->skeleton;
	struct bpf_map *const shared[] = {skeleton->maps.counters, skeleton->maps.instance,
					  skeleton->maps.fragments};

	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		const char *name = bpf_map__name(shared[i]);
		_cleanup_close_ int fd = datapath_open_pin(commit->instance, name);
		int err;

		if (fd >= 0 && datapath_map_fits(fd, shared[i]))
			continue;
		err = pin(commit->instance, name, bpf_map__fd(shared[i]));
		if (err)
			return err;
	}
	return 0;
}

static int pin_generation(const struct commit *commit)
{
	struct pipeline_bpf *skeleton = commit->datapath->skeleton;
	const struct {
		const char *name;
		int fd;
	} pins[] = {
		{PIN_PROGRAM, bpf_program__fd(skeleton->progs.vxlan_pipeline)},
		{PIN_CONSTANTS, bpf_map__fd(skeleton->maps.rodata)},
		{"nat4_slots", bpf_map__fd(skeleton->maps.nat4_slots)},
		{"nat6_slots", bpf_map__fd(skeleton->maps.nat6_slots)},
		{"rule_hits", bpf_map__fd(skeleton->maps.rule_hits)},
		{"rule_base", bpf_map__fd(skeleton->maps.rule_base)},
		{"vni_slots", bpf_map__fd(skeleton->maps.vni_slots)},
		{"vni_hits", bpf_map__fd(skeleton->maps.vni_hits)},
		{"vni_any", bpf_map__fd(skeleton->maps.vni_any)},
		{"vni_base", bpf_map__fd(skeleton->maps.vni_base)},
	};
	uint32_t generation = commit->datapath->generation;
	char path[INSTANCE_PATH_SIZE], name[PIN_SIZE];
	int err;

	instance_pin_path(path, commit->instance, datapath_generation_pin(name, generation, NULL));
	err = instance_remove_tree(path); /* of a commit that was killed */
	if (err && err != -ENOENT)
		return err;
	if (mkdir(path, 0700) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		datapath_generation_pin(name, generation, pins[i].name);
		if (bpf_obj_pin(pins[i].fd, instance_pin_path(path, commit->instance, name)))
			return -errno;
	}
	return 0;
}

static int attach(int program_fd, int ifindex, bool generic)
{
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(program_fd, ifindex, BPF_XDP, &options);

	return fd < 0 ? -errno : fd;
}

/* Which program is on an interface: its id, 0 if none. */
static uint32_t program_on(int ifindex, struct bpf_prog_info *info)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	uint32_t size = sizeof(*info), id;
	_cleanup_close_ int fd = -1;

	memset(info, 0, sizeof(*info));
	if (bpf_xdp_query(ifindex, 0, &query))
		return 0;
	id = query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	if (!id)
		id = query.prog_id;
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (fd >= 0)
		bpf_obj_get_info_by_fd(fd, info, &size);
	return id;
}

/*
 * The kernel's own reason for refusing native mode. bpf(2) does not hand it over, netlink does, so
 * the same request is made that way; should it succeed after all, it is taken back.
 */
static void native_refusal(int program_fd, int ifindex, int err, char *text, size_t size)
{
	const uint32_t flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;

	if (bpf_xdp_attach(ifindex, program_fd, flags, NULL) == 0)
		bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
	if (err == -EOPNOTSUPP)
		snprintf(text, size, "its driver has no native XDP");
	else if (*datapath_kernel_message())
		snprintf(text, size, "%s (%s)", datapath_kernel_message(), strerror(-err));
	else
		snprintf(text, size,
			 "%s; the driver's reason is in dmesg, often the MTU or the "
			 "number of channels",
			 strerror(-err));
}

static int foreign_program(const struct commit *commit, const char *interface, int ifindex)
{
	struct bpf_prog_info info;
	uint32_t id = program_on(ifindex, &info);

	return error_set(
		commit->error, -EBUSY,
		"%s already carries the XDP program '%s' (id %u), which is not ours; remove "
		"it first: ip link set dev %s xdp off",
		interface, info.name, id, interface);
}

/* Pins a new link under `name`; the one before it detaches when its last holder lets go. */
static int pin_link(const struct commit *commit, const char *name, int fd)
{
	int err = pin(commit->instance, name, fd);

	if (err)
		return error_set(commit->error, err, "cannot pin the link of instance %s: %s",
				 commit->instance, strerror(-err));
	return 0;
}

/* Many drivers send redirected frames only while they have a program of their own. */
static int attach_egress(struct commit *commit)
{
	const struct datapath_links *links = &commit->datapath->links;
	_cleanup_close_ int before = datapath_open_pin(commit->instance, PIN_EGRESS_LINK);
	_cleanup_close_ int fd = -1;
	struct bpf_link_info link = {0};
	struct bpf_prog_info program;
	uint32_t size = sizeof(link);
	char reason[256];
	int program_fd = bpf_program__fd(commit->datapath->skeleton->progs.vxlan_pipeline_egress);
	int err;

	if (before >= 0 && bpf_obj_get_info_by_fd(before, &link, &size) == 0 &&
	    (int)link.xdp.ifindex == links->egress_ifindex)
		return 0;
	if (program_on(links->egress_ifindex, &program))
		return 0; /* any program will do */
	fd = attach(program_fd, links->egress_ifindex, false);
	if (fd < 0) {
		err = fd;
		native_refusal(program_fd, links->egress_ifindex, err, reason, sizeof(reason));
		return error_set(commit->error, err, "%s takes no XDP program in native mode: %s",
				 commit->config->forward.interface, reason);
	}
	err = pin_link(commit, PIN_EGRESS_LINK, fd);
	commit->new_egress = !err;
	return err;
}

static int unpin_egress(const struct commit *commit)
{
	char path[INSTANCE_PATH_SIZE];

	return unlink(instance_pin_path(path, commit->instance, PIN_EGRESS_LINK));
}

static bool link_serves(const struct commit *commit, bool generic)
{
	return commit->link_fd >= 0 &&
	       (int)commit->link.xdp.ifindex == commit->datapath->links.listen_ifindex &&
	       commit->attached->adopted && generic == commit->attached->generic;
}

static int attach_listen(struct commit *commit, bool generic)
{
	const char *interface = commit->config->listen.interface;
	int program_fd = bpf_program__fd(commit->datapath->skeleton->progs.vxlan_pipeline);
	int ifindex = commit->datapath->links.listen_ifindex;
	_cleanup_close_ int fd = -1;
	char reason[256];

	if (link_serves(commit, generic)) {
		if (bpf_link_update(commit->link_fd, program_fd, NULL) == 0)
			return 0;
		return error_set(commit->error, -errno, "cannot swap the program on %s: %s",
				 interface, strerror(errno));
	}
	/* one interface cannot carry a native and a generic program at once */
	if (commit->link_fd >= 0 && (int)commit->link.xdp.ifindex == ifindex)
		bpf_link_detach(commit->link_fd);
	fd = attach(program_fd, ifindex, generic);
	if (fd == -EBUSY || fd == -EEXIST)
		return foreign_program(commit, interface, ifindex);
	if (fd == -EPERM)
		return error_set(
			commit->error, fd,
			"not permitted to attach to %s; run as root, or with CAP_NET_ADMIN",
			interface);
	if (fd < 0) {
		int err = fd;

		native_refusal(program_fd, ifindex, err, reason, sizeof(reason));
		return error_set(commit->error, err, "%s takes no XDP program in %s mode: %s",
				 interface, generic ? "generic" : "native", reason);
	}
	return pin_link(commit, PIN_LINK, fd);
}

static int attach_native(struct commit *commit)
{
	const struct datapath_links *links = &commit->datapath->links;
	bool two_arm = links->listen_ifindex != links->egress_ifindex;
	int err = two_arm ? attach_egress(commit) : 0;

	if (!err)
		err = attach_listen(commit, false);
	if (!err)
		commit->attached->generic = false;
	else if (commit->new_egress)
		unpin_egress(commit);
	if (!err && !two_arm)
		unpin_egress(commit);
	return err;
}

static int attach_generic(struct commit *commit)
{
	int err = attach_listen(commit, true);

	if (err)
		return err;
	commit->attached->generic = true;
	unpin_egress(commit);
	return 0;
}

static int attach_all(struct commit *commit)
{
	enum xdp_mode mode = commit->config->listen.xdp_mode;
	char *warning = commit->attached->warning;
	int err;

	if (mode == XDP_MODE_GENERIC)
		return attach_generic(commit);
	err = attach_native(commit);
	if (!err || err == -EBUSY || err == -EPERM || mode == XDP_MODE_NATIVE)
		return err;
	snprintf(warning, sizeof(commit->attached->warning),
		 "%.300s; using generic mode, which is several times slower", commit->error->text);
	return attach_generic(commit);
}

/* Waits until no CPU runs the program before any more: that is what synchronize_rcu() means. */
static void wait_for_old_program(void)
{
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(50000);
}

static int compare_rules(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct datapath_rule, hits));
}

/* Gives each rule what the same rule (match and target) counted in the generation before. */
static int carry_rules(const struct datapath *datapath, struct datapath_stats *old,
		       const struct datapath_stats *new)
{
	int fd = bpf_map__fd(datapath->skeleton->maps.rule_base);
	struct hits *base;
	size_t size;

	if (!old->rule_count || !new->rule_count)
		return 0;
	base = datapath_map_array(fd, PROT_READ | PROT_WRITE, &size);
	if (base == MAP_FAILED)
		return -errno;
	qsort(old->rules, old->rule_count, sizeof(*old->rules), compare_rules);
	for (size_t i = 0; i < new->rule_count; i++) {
		const struct datapath_rule *found =
			bsearch(&new->rules[i], old->rules, old->rule_count, sizeof(*old->rules),
				compare_rules);

		if (found)
			base[i] = found->hits;
	}
	munmap(base, size);
	return 0;
}

static int carry_vnis(const struct datapath *datapath, const struct datapath_stats *old)
{
	int fd = bpf_map__fd(datapath->skeleton->maps.vni_base);

	for (size_t i = 0; i < old->vni_count; i++) {
		if (bpf_map_update_elem(fd, &old->vnis[i].vni, &old->vnis[i].hits, BPF_ANY) &&
		    errno != E2BIG)
			return -errno;
	}
	return 0;
}

/* What the generation before counted by rule and by VNI, into the new one's base. */
static int carry_counters(const struct commit *commit)
{
	struct datapath_stats old = {0}, new = {0};
	int err;

	if (!commit->previous)
		return 0;
	wait_for_old_program();
	err = datapath_read_generation(commit->instance, commit->previous, &old);
	if (!err)
		err = datapath_read_generation(commit->instance, commit->datapath->generation,
					       &new);
	if (!err)
		err = carry_rules(commit->datapath, &old, &new);
	if (!err)
		err = carry_vnis(commit->datapath, &old);
	datapath_stats_clear(&old);
	datapath_stats_clear(&new);
	return err;
}

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int write_info(const struct commit *commit)
{
	int fd = bpf_map__fd(commit->datapath->skeleton->maps.instance);
	struct instance_info info = {0};
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &info))
		return -errno;
	if (!info.attached_at) {
		info.attached_at = now(CLOCK_REALTIME);
		info.attached_boottime = now(CLOCK_BOOTTIME);
	}
	info.generation = commit->datapath->generation;
	info.generic = commit->attached->generic;
	snprintf(info.listen, sizeof(info.listen), "%s", commit->config->listen.interface);
	snprintf(info.egress, sizeof(info.egress), "%s", commit->config->forward.interface);
	info.monitor_interval = commit->config->monitor.interval;
	info.target_pps = commit->config->monitor.target_pps;
	info.warning_pps = commit->config->monitor.warning_pps;
	return bpf_map_update_elem(fd, &zero, &info, BPF_ANY) ? -errno : 0;
}

/* From here on readers see the new generation. */
static int switch_current(const struct commit *commit)
{
	char path[INSTANCE_PATH_SIZE], fresh[INSTANCE_PATH_SIZE + 4], target[PIN_SIZE];

	datapath_generation_pin(target, commit->datapath->generation, NULL);
	snprintf(fresh, sizeof(fresh), "%s.new",
		 instance_pin_path(path, commit->instance, PIN_CURRENT));
	unlink(fresh);
	if (symlink(target, fresh) < 0 || rename(fresh, path) < 0)
		return -errno;
	return 0;
}

static void remove_generation(const char *instance, uint32_t generation)
{
	char path[INSTANCE_PATH_SIZE], name[PIN_SIZE];

	instance_remove_tree(
		instance_pin_path(path, instance, datapath_generation_pin(name, generation, NULL)));
}

static void find_previous(struct commit *commit)
{
	struct instance_info info = {0};
	uint32_t zero = 0, size = sizeof(commit->link);
	_cleanup_close_ int fd = datapath_open_pin(commit->instance, "instance");

	commit->fresh = fd < 0;
	if (fd >= 0 && bpf_map_lookup_elem(fd, &zero, &info) == 0) {
		commit->previous = info.generation;
		commit->attached->generic = info.generic;
	}
	commit->link_fd = datapath_open_pin(commit->instance, PIN_LINK);
	if (commit->link_fd >= 0 &&
	    bpf_obj_get_info_by_fd(commit->link_fd, &commit->link, &size) == 0)
		commit->attached->adopted = commit->link.xdp.ifindex != 0;
}

int datapath_commit(struct datapath *datapath, const char *instance, const struct config *config,
		    struct datapath_attached *attached, struct error *error)
{
	struct commit commit = {.datapath = datapath,
				.instance = instance,
				.config = config,
				.attached = attached,
				.error = error};
	int err;

	memset(attached, 0, sizeof(*attached));
	find_previous(&commit);
	err = instance_make_pins(instance, error);
	if (!err) {
		err = pin_shared(&commit);
		if (!err)
			err = pin_generation(&commit);
		if (err)
			error_set(error, err, "cannot pin the state of instance %s: %s", instance,
				  strerror(-err));
	}
	if (!err)
		err = attach_all(&commit);
	if (commit.link_fd >= 0)
		close(commit.link_fd);
	if (err) {
		remove_generation(instance, datapath->generation);
		if (commit.fresh)
			instance_remove_pins(instance, &(struct error){0});
		return err;
	}

	/* The datapath is in force. Nothing that fails from here on may stop it. */
	if (carry_counters(&commit))
		snprintf(attached->warning, sizeof(attached->warning),
			 "the counters of rules and VNIs start anew: those of the program before "
			 "cannot be read");
	if (write_info(&commit) || switch_current(&commit))
		snprintf(attached->warning, sizeof(attached->warning),
			 "the pinned state of instance %s cannot be written; `stats` may be wrong",
			 instance);
	else if (commit.previous && commit.previous != datapath->generation)
		remove_generation(instance, commit.previous);
	return 0;
}

int datapath_remove(const char *instance, struct error *error)
{
	_cleanup_close_ int link = datapath_open_pin(instance, PIN_LINK);
	_cleanup_close_ int egress = datapath_open_pin(instance, PIN_EGRESS_LINK);

	libbpf_set_print(NULL);
	/* detached by force, so that nothing that holds the link by chance keeps it in place */
	if (link >= 0)
		bpf_link_detach(link);
	if (egress >= 0)
		bpf_link_detach(egress);
	return instance_remove_pins(instance, error);
}
