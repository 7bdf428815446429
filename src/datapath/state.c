// SPDX-License-Identifier: GPL-2.0-only
/* Where the programs of an instance are now: asked by links and pins, without reading any counter. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/internal.h"
#include "net/xdp_program.h"

int datapath_read_link(const char *instance, const char *name, struct bpf_link_info *info)
{
	_cleanup_close_ int fd = datapath_open_pin(instance, name);
	uint32_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (fd < 0)
		return fd;
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

int datapath_read_state(const char *instance, enum datapath_state *state)
{
	uint32_t seen = 0, generation;

	for (;;) {
		struct bpf_link_info link;
		int err = datapath_read_link(instance, PIN_LINK, &link);

		*state = DATAPATH_DETACHED;
		if (err || !link.xdp.ifindex)
			return err == -ENOENT ? 0 : err;
		/* datapath_apply() pins a program before it attaches it */
		err = datapath_generation_of(instance, link.prog_id, &generation);
		*state = DATAPATH_ATTACHED;
		if (err || generation)
			return err;
		*state = DATAPATH_REPLACED;
		if (link.prog_id == seen)
			return 0;
		/* a reload may have taken its pins away since; then the link has another one now */
		seen = link.prog_id;
	}
}

bool datapath_is_generic(const char *instance, int listen_ifindex)
{
	struct instance_info info;

	return datapath_read_info(instance, &info) == 0 && info.generic &&
	       (int)info.listen_ifindex == listen_ifindex;
}

bool datapath_lacks_egress(const char *instance, const struct datapath_links *links)
{
	_cleanup_close_ int own = datapath_open_pin(instance, PIN_EGRESS_LINK);

	return own == -ENOENT && links->listen_ifindex != links->egress_ifindex &&
	       !datapath_is_generic(instance, links->listen_ifindex) &&
	       !xdp_program_on(links->egress_ifindex).id;
}

bool datapath_is_unpinned(const char *instance)
{
	return !datapath_is_pinned(instance, PIN_CURRENT);
}
