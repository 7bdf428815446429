// SPDX-License-Identifier: GPL-2.0-only
/* Attaching a loaded generation to its interfaces, or swapping it into the link that is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/if_link.h>

#include "base/cleanup.h"
#include "base/refusal.h"
#include "datapath/owner.h"
#include "datapath/share.h"
#include "net/driver.h"
#include "net/xdp_program.h"

static int datapath_create_link(int program_fd, int ifindex, bool generic)
{
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(program_fd, ifindex, BPF_XDP, &options);

	return fd < 0 ? -errno : fd;
}

/*
 * The kernel's own reason for refusing native mode. bpf(2) does not hand it over, netlink does, so
 * the same request is made that way; should it succeed after all, it is taken back.
 */
static const char *ask_refusal(int program_fd, int ifindex)
{
	const uint32_t flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;

	datapath_forget_kernel_message();
	if (bpf_xdp_attach(ifindex, program_fd, flags, NULL) == 0)
		bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
	return datapath_kernel_message();
}

/*
 * Says why an interface does not take a program, and what would help. `kernel`: the driver's own words;
 * empty: it gave none. Returns -EOPNOTSUPP, so that the caller tries another mode, or an error that may
 * pass.
 */
static int refused(const struct datapath_change *change, const char *interface, uint32_t mtu,
		   const char *mode, int err, const char *kernel)
{
	const char *reason = *kernel ? kernel : strerror(-err);

	/* a driver that gives a reason does not take the program, whatever errno says */
	if (!*kernel && (error_may_pass(err) || err == -ENODEV || err == -EPERM))
		return error_set(change->error, err,
				 "cannot attach to %s in %s mode now: %s; if it stays so, "
				 "listen.xdp_mode says which mode is wanted",
				 interface, mode, reason);
	if (err == -EOPNOTSUPP)
		return error_set(change->error, -EOPNOTSUPP,
				 "%s takes no XDP program in %s mode: its driver has none",
				 interface, mode);
	if (mtu > DRIVER_SAFE_MTU)
		return error_set(change->error, -EOPNOTSUPP,
				 "%s takes no XDP program in %s mode at an MTU of %u: %s; ip link "
				 "set dev %s mtu %d",
				 interface, mode, mtu, reason, interface, DRIVER_SAFE_MTU);
	return error_set(change->error, -EOPNOTSUPP,
			 "%s takes no XDP program in %s mode: %s; dmesg may say more, often about "
			 "the number of channels",
			 interface, mode, reason);
}

/* Pins a new link under `name`; the one before it detaches when its last holder lets go. */
static int pin_link(const struct datapath_change *change, const char *name, int fd)
{
	int err = datapath_pin(change->instance, name, fd);

	if (err)
		return error_set(change->error, err, "cannot pin the link of instance %s: %s",
				 change->instance, strerror(-err));
	return 0;
}

static int attach_explain_share(int err, const char *interface, struct error *error)
{
	return error_set(error, err, "which instances use the XDP program of %s is not known: %s",
			 interface, strerror(-err));
}

/* Any program will do; that of an instance stays for this one, too. */
static int datapath_share_egress(struct datapath_change *change, const struct xdp_program *program)
{
	struct share share;
	_cleanup_close_ int fd =
		program->generic
			? -ENOENT /* nothing that a driver sends by */
			: share_find(change->datapath->links.egress_ifindex, change->pins, &share);
	int err = 0;

	if (fd < 0 && fd != -ENOENT)
		return attach_explain_share(fd, change->config->forward.interface, change->error);
	if (fd >= 0)
		err = pin_link(change, PIN_EGRESS_LINK, fd);
	change->new_egress = fd >= 0 && !err;
	return err;
}

/* Many drivers send redirected frames only while they have a program of their own. */
static int attach_egress(struct datapath_change *change)
{
	const struct datapath_links *links = &change->datapath->links;
	int program_fd = bpf_program__fd(change->datapath->skeleton->progs.vxlan_pipeline_egress);
	int err, before = change->pins->egress_link;
	struct bpf_link_info link = {0};
	uint32_t size = sizeof(link);
	struct xdp_program program;
	_cleanup_close_ int fd = -1;

	if (before >= 0 && bpf_obj_get_info_by_fd(before, &link, &size) == 0 &&
	    (int)link.xdp.ifindex == links->egress_ifindex) {
		change->same_egress = true;
		return datapath_is_pinned(change->instance, PIN_EGRESS_LINK)
			       ? 0
			       : pin_link(change, PIN_EGRESS_LINK, before);
	}
	program = xdp_program_on(links->egress_ifindex);
	if (program.id)
		return datapath_share_egress(change, &program);
	fd = datapath_create_link(program_fd, links->egress_ifindex, false);
	if (fd < 0)
		return refused(change, change->config->forward.interface, links->egress_mtu,
			       "native", fd, ask_refusal(program_fd, links->egress_ifindex));
	err = pin_link(change, PIN_EGRESS_LINK, fd);
	change->new_egress = !err;
	return err;
}

static int unpin_egress(const struct datapath_change *change)
{
	char path[INSTANCE_PATH_SIZE];

	return unlink(instance_pin_path(path, change->instance, PIN_EGRESS_LINK));
}

static bool link_serves(const struct datapath_change *change)
{
	return change->attached->adopted &&
	       (int)change->link.xdp.ifindex == change->datapath->links.listen_ifindex &&
	       !!change->pins->info.generic == change->datapath->generic;
}

/* Pins the link before the change again, or removes the pin if there was none. */
static void datapath_put_back_link(const struct datapath_change *change)
{
	char path[INSTANCE_PATH_SIZE];

	if (change->pins->link >= 0)
		datapath_pin(change->instance, PIN_LINK, change->pins->link);
	else
		unlink(instance_pin_path(path, change->instance, PIN_LINK));
}

/*
 * If another instance only sends by listen.interface, the new program replaces the passing one in the
 * same link. -EBUSY: the interface carries another program.
 */
static int datapath_take_over(const struct datapath_change *change, const char *mode)
{
	const struct datapath_links *links = &change->datapath->links;
	const char *interface = change->config->listen.interface;
	int program_fd = bpf_program__fd(change->datapath->skeleton->progs.vxlan_pipeline);
	struct share share;
	_cleanup_close_ int fd = share_find(links->listen_ifindex, change->pins, &share);
	int err;

	if (fd < 0 && fd != -ENOENT)
		return attach_explain_share(fd, interface, change->error);
	if (fd < 0 || *share.listener)
		return datapath_in_the_way(links->listen_ifindex, interface, change->error);
	if (change->datapath->generic)
		return error_set(change->error, -EBUSY,
				 "%s takes no program in generic mode while instance %s sends by "
				 "it in native mode; listen.xdp_mode: native, or: vxlan-pipeline "
				 "stop --instance %s",
				 interface, share.sender, share.sender);
	/* the pin first: it can fail, and nothing has changed then */
	err = pin_link(change, PIN_LINK, fd);
	if (!err && bpf_link_update(fd, program_fd, NULL)) {
		err = refused(change, interface, links->listen_mtu, mode, -errno, "");
		datapath_put_back_link(change);
	}
	return err;
}

/* A change of mode detaches the program for a moment, which would interrupt who sends by it. */
static int datapath_check_share(const struct datapath_change *change)
{
	const char *interface = change->config->listen.interface;
	struct share share;
	int err = share_ask(change->pins->link, change->instance, &share);

	if (!*share.sender)
		return err ? attach_explain_share(err, interface, change->error) : 0;
	return error_set(change->error, -EBUSY,
			 "%s cannot change between native and generic mode while instance %s sends "
			 "by it; vxlan-pipeline stop --instance %s",
			 interface, share.sender, share.sender);
}

static int datapath_explain_attach(int err, const char *interface, struct error *error)
{
	char what[64];

	snprintf(what, sizeof(what), "not permitted to attach to %s", interface);
	return refusal_explain(err, what, error);
}

static int attach_listen(struct datapath_change *change)
{
	bool generic = change->datapath->generic;
	const char *interface = change->config->listen.interface;
	int program_fd = bpf_program__fd(change->datapath->skeleton->progs.vxlan_pipeline);
	const struct datapath_links *links = &change->datapath->links;
	const char *mode = generic ? "generic" : "native";
	int ifindex = links->listen_ifindex;
	_cleanup_close_ int fd = -1;
	int err;

	if (link_serves(change)) {
		/* the pin first: it can fail, and nothing has changed then */
		err = datapath_is_pinned(change->instance, PIN_LINK)
			      ? 0
			      : pin_link(change, PIN_LINK, change->pins->link);
		if (!err && bpf_link_update(change->pins->link, program_fd, NULL))
			err = refused(change, interface, links->listen_mtu, mode, -errno, "");
		return err;
	}
	/* one interface cannot carry a native and a generic program at once */
	if (change->pins->link >= 0 && (int)change->link.xdp.ifindex == ifindex) {
		err = datapath_check_share(change);
		if (err)
			return err;
		change->detached = bpf_link_detach(change->pins->link) == 0;
	}
	fd = datapath_create_link(program_fd, ifindex, generic);
	if ((fd == -EBUSY || fd == -EEXIST) && xdp_program_on(ifindex).id)
		return datapath_take_over(change, mode);
	if (refusal_is(fd))
		return datapath_explain_attach(fd, interface, change->error);
	if (fd < 0)
		return refused(change, interface, links->listen_mtu, mode, fd,
			       generic ? "" : ask_refusal(program_fd, ifindex));
	return pin_link(change, PIN_LINK, fd);
}

/* What was to be replaced takes its place again. */
static void datapath_put_back(struct datapath_change *change)
{
	int egress_before = change->pins->egress_link;
	_cleanup_close_ int program = -1;
	_cleanup_close_ int link = -1;
	size_t used = strlen(change->error->text);
	char pin[PIN_SIZE];
	int err;

	if (change->new_egress && egress_before >= 0)
		datapath_pin(change->instance, PIN_EGRESS_LINK, egress_before);
	else if (change->new_egress)
		unpin_egress(change);
	if (!change->detached)
		return;
	program = datapath_open_pin(change->instance,
				    datapath_generation_pin(pin, change->previous, PIN_PROGRAM));
	link = program < 0 ? program
			   : datapath_create_link(program, change->link.xdp.ifindex,
						  change->pins->info.generic);
	err = link < 0 ? link : datapath_pin(change->instance, PIN_LINK, link);
	if (err)
		snprintf(change->error->text + used, sizeof(change->error->text) - used,
			 "; nor can the program before be attached again: %s", strerror(-err));
}

/* This instance no longer listens on the interface before, but some instance may send by it. */
static void datapath_leave_before(const struct datapath_change *change)
{
	struct bpf_link_info now;

	if (change->link.xdp.ifindex && !change->detached &&
	    datapath_read_link(change->instance, PIN_LINK, &now) == 0 && now.id != change->link.id)
		share_leave(change->pins->link, NULL);
}

int datapath_attach(struct datapath_change *change)
{
	_cleanup_close_ int lock = share_lock();
	const struct datapath_links *links = &change->datapath->links;
	bool wants_egress =
		links->listen_ifindex != links->egress_ifindex && !change->datapath->generic;
	int err = wants_egress ? attach_egress(change) : 0;

	if (!err)
		err = attach_listen(change);
	if (err) {
		datapath_put_back(change);
		return err;
	}
	if (change->pins->egress_link >= 0 && !change->same_egress && !change->new_egress)
		unpin_egress(change);
	datapath_leave_before(change);
	return 0;
}
