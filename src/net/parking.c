// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include <linux/if_link.h>

#include "base/cleanup.h"
#include "net/parking.h"

#define LOOPBACK 1 /* its ifindex in every network namespace */

static int parking_open_namespace(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int parking_attach(struct parking *parking, int program_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);

	parking->namespace = parking_open_namespace();
	if (parking->namespace < 0)
		return -errno;
	parking->link = bpf_link_create(program_fd, LOOPBACK, BPF_XDP, &options);
	return parking->link < 0 ? parking->link : 0;
}

int parking_open(struct parking *parking, int program_fd)
{
	_cleanup_close_ int home = parking_open_namespace();
	struct parking opened = PARKING_NONE;
	int err;

	if (home < 0 || unshare(CLONE_NEWNET) < 0)
		return -errno;
	err = parking_attach(&opened, program_fd);
	if (setns(home, CLONE_NEWNET) < 0)
		abort(); /* stuck in the empty namespace: this thread can do nothing useful there */
	if (err)
		parking_close(&opened);
	else
		*parking = opened;
	return err;
}

void parking_close(struct parking *parking)
{
	cleanup_close(&parking->link);
	cleanup_close(&parking->namespace);
	*parking = PARKING_NONE;
}
