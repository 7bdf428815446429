// SPDX-License-Identifier: GPL-2.0-only
/* Attaching a loaded generation to its interfaces, or swapping it into the link that is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_link.h>

#include "cleanup.h"
#include "datapath_internal.h"
#include "instance.h"

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

static int foreign_program(const struct datapath_commit *commit, const char *interface, int ifindex)
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
static int pin_link(const struct datapath_commit *commit, const char *name, int fd)
{
	int err = datapath_pin(commit->instance, name, fd);

	if (err)
		return error_set(commit->error, err, "cannot pin the link of instance %s: %s",
				 commit->instance, strerror(-err));
	return 0;
}

/* Many drivers send redirected frames only while they have a program of their own. */
static int attach_egress(struct datapath_commit *commit, int before)
{
	const struct datapath_links *links = &commit->datapath->links;
	_cleanup_close_ int fd = -1;
	struct bpf_link_info link = {0};
	struct bpf_prog_info program;
	uint32_t size = sizeof(link);
	char reason[256];
	int program_fd = bpf_program__fd(commit->datapath->skeleton->progs.vxlan_pipeline_egress);
	int err;

	if (before >= 0 && bpf_obj_get_info_by_fd(before, &link, &size) == 0 &&
	    (int)link.xdp.ifindex == links->egress_ifindex) {
		commit->same_egress = true;
		return 0;
	}
	if (program_on(links->egress_ifindex, &program))
		return 0; /* any program will do */
	fd = attach(program_fd, links->egress_ifindex, false);
	if (fd < 0) {
		native_refusal(program_fd, links->egress_ifindex, fd, reason, sizeof(reason));
		return error_set(commit->error, -EOPNOTSUPP,
				 "%s takes no XDP program in native mode: %s",
				 commit->config->forward.interface, reason);
	}
	err = pin_link(commit, PIN_EGRESS_LINK, fd);
	commit->new_egress = !err;
	return err;
}

static int unpin_egress(const struct datapath_commit *commit)
{
	char path[INSTANCE_PATH_SIZE];

	return unlink(instance_pin_path(path, commit->instance, PIN_EGRESS_LINK));
}

static bool link_serves(const struct datapath_commit *commit)
{
	return commit->attached->adopted &&
	       (int)commit->link.xdp.ifindex == commit->datapath->links.listen_ifindex &&
	       commit->was_generic == commit->datapath->generic;
}

static int attach_listen(struct datapath_commit *commit)
{
	bool generic = commit->datapath->generic;
	const char *interface = commit->config->listen.interface;
	int program_fd = bpf_program__fd(commit->datapath->skeleton->progs.vxlan_pipeline);
	int ifindex = commit->datapath->links.listen_ifindex;
	_cleanup_close_ int fd = -1;
	char reason[256];

	if (link_serves(commit)) {
		if (bpf_link_update(commit->link_fd, program_fd, NULL) == 0)
			return 0;
		return error_set(commit->error, -errno, "cannot swap the program on %s: %s",
				 interface, strerror(errno));
	}
	/* one interface cannot carry a native and a generic program at once */
	if (commit->link_fd >= 0 && (int)commit->link.xdp.ifindex == ifindex)
		commit->detached = bpf_link_detach(commit->link_fd) == 0;
	fd = attach(program_fd, ifindex, generic);
	if (fd == -EBUSY || fd == -EEXIST)
		return foreign_program(commit, interface, ifindex);
	if (fd == -EPERM)
		return error_set(
			commit->error, fd,
			"not permitted to attach to %s; run as root, or with CAP_NET_ADMIN",
			interface);
	if (fd < 0) {
		native_refusal(program_fd, ifindex, fd, reason, sizeof(reason));
		return error_set(commit->error, -EOPNOTSUPP,
				 "%s takes no XDP program in %s mode: %s", interface,
				 generic ? "generic" : "native", reason);
	}
	return pin_link(commit, PIN_LINK, fd);
}

/* What was to be replaced takes its place again. */
static void put_back(struct datapath_commit *commit, int egress_before)
{
	_cleanup_close_ int program = -1;
	_cleanup_close_ int link = -1;
	size_t used = strlen(commit->error->text);
	char pin[PIN_SIZE];
	int err;

	if (commit->new_egress && egress_before >= 0)
		datapath_pin(commit->instance, PIN_EGRESS_LINK, egress_before);
	else if (commit->new_egress)
		unpin_egress(commit);
	if (!commit->detached)
		return;
	program = datapath_open_pin(commit->instance,
				    datapath_generation_pin(pin, commit->previous, PIN_PROGRAM));
	link = program < 0 ? program
			   : attach(program, commit->link.xdp.ifindex, commit->was_generic);
	err = link < 0 ? link : datapath_pin(commit->instance, PIN_LINK, link);
	if (err)
		snprintf(commit->error->text + used, sizeof(commit->error->text) - used,
			 "; nor can the program before be attached again: %s", strerror(-err));
}

int datapath_attach(struct datapath_commit *commit)
{
	const struct datapath_links *links = &commit->datapath->links;
	bool wants_egress =
		links->listen_ifindex != links->egress_ifindex && !commit->datapath->generic;
	/* held, so that the link outlives its pin until it is sure that it has to go */
	_cleanup_close_ int egress_before = datapath_open_pin(commit->instance, PIN_EGRESS_LINK);
	int err = wants_egress ? attach_egress(commit, egress_before) : 0;

	if (!err)
		err = attach_listen(commit);
	if (err)
		put_back(commit, egress_before);
	else if (egress_before >= 0 && !commit->same_egress && !commit->new_egress)
		unpin_egress(commit);
	return err;
}
