// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links that instances share. An interface takes one program. If one instance listens on the interface
 * that another sends by, the listener's program serves both, as any program is enough to send. Both
 * have the link pinned: it stays until the last of them goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/share.h"
#include "instance/pins.h"
#include "net/xdp_program.h"

#define LOCK_TRIES    300
#define LOCK_PAUSE_NS 10000000L

static bool share_is_same(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

/* Only root can open that directory, so nobody else can hold the lock. */
int share_lock(void)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		int fd = open(INSTANCE_PINS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		/* the last instance removes the directory, and the next one makes another */
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && share_is_same(fd, INSTANCE_PINS))
			return fd;
		close(fd);
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

/* `fd`: a link, or -errno of one that could not be opened. */
static int share_read(int fd, struct bpf_link_info *info)
{
	uint32_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (fd < 0)
		return fd;
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

/* A search for a link: by its id, or, if that is 0, by its interface and its program. */
struct share_search {
	const char *except; /* an instance that does not count; NULL: all do */
	uint32_t link_id;
	uint32_t ifindex;
	uint32_t program_id;
	int fd; /* of the link found; -1: none yet, or not wanted */
	bool wants_fd;
	int err; /* of a link that could not be asked */
	struct share share;
};

static bool share_try_link(int fd, struct share_search *search)
{
	struct bpf_link_info info;
	int err = share_read(fd, &info);

	if (err) {
		if (err != -ENOENT)
			search->err = err;
		return false;
	}
	/* another network namespace may have an interface of the same number */
	if (search->link_id
		    ? info.id != search->link_id
		    : info.xdp.ifindex != search->ifindex || info.prog_id != search->program_id)
		return false;
	if (search->wants_fd && search->fd < 0)
		search->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return true;
}

static void share_try_links(const char *instance, int link, int egress, struct share_search *search)
{
	if (share_try_link(link, search))
		snprintf(search->share.listener, sizeof(search->share.listener), "%s", instance);
	if (share_try_link(egress, search))
		snprintf(search->share.sender, sizeof(search->share.sender), "%s", instance);
}

static void share_try(const char *instance, void *data)
{
	struct share_search *search = data;
	_cleanup_close_ int link = -1;
	_cleanup_close_ int egress = -1;

	if (search->except && strcmp(instance, search->except) == 0)
		return;
	link = datapath_open_pin(instance, PIN_LINK);
	egress = datapath_open_pin(instance, PIN_EGRESS_LINK);
	share_try_links(instance, link, egress, search);
}

int share_find(int ifindex, const struct datapath_pins *own, struct share *share)
{
	struct share_search search = {
		.except = own ? own->instance : NULL,
		.ifindex = (uint32_t)ifindex,
		.program_id = xdp_program_on(ifindex).id,
		.wants_fd = true,
		.fd = -1,
	};

	if (search.program_id)
		instance_each(share_try, &search);
	if (search.program_id && own)
		share_try_links(own->instance, own->link, own->egress_link, &search);
	*share = search.share;
	if (search.fd < 0 && search.err)
		return search.err;
	return search.fd < 0 ? -ENOENT : search.fd;
}

int share_ask(int link, const char *except, struct share *share)
{
	struct share_search search = {.except = except, .fd = -1};
	struct bpf_link_info info;
	int err = share_read(link, &info);

	if (!err) {
		search.link_id = info.id;
		instance_each(share_try, &search);
	}
	*share = search.share;
	return err ? err : search.err;
}

/* A program that passes packets, also those in several buffers if the kernel can (Linux 5.18). */
static int share_load_passing(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP,
		    .prog_flags = BPF_F_XDP_HAS_FRAGS);
	size_t length = sizeof(program) / sizeof(program[0]);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "vxlan_pipeline_egress", "GPL", program, length,
			       &options);

	if (fd >= 0)
		return fd;
	options.prog_flags = 0;
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "vxlan_pipeline_egress", "GPL", program, length,
			   &options);
	return fd < 0 ? -errno : fd;
}

void share_leave(int link, const char *except)
{
	_cleanup_close_ int passing = -1;
	struct share share;

	if (share_ask(link, except, &share) || *share.sender)
		passing = share_load_passing();
	/* forced: a descriptor that somebody holds would keep the program attached */
	if (passing < 0 || bpf_link_update(link, passing, NULL))
		bpf_link_detach(link);
}
