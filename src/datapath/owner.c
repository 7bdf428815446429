// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "datapath/owner.h"
#include "datapath/share.h"
#include "instance/bpffs.h"
#include "instance/daemon.h"
#include "instance/pins.h"

int datapath_owns(const char *instance, uint32_t program_id)
{
	uint32_t generation;
	int err = datapath_generation_of(instance, program_id, &generation);

	return err ? err : generation != 0;
}

struct owner_search {
	uint32_t program_id;
	char *found;
	int err;
};

static void try_owner(const char *instance, void *data)
{
	struct owner_search *search = data;
	int owns = datapath_owns(instance, search->program_id);

	if (owns < 0)
		search->err = owns;
	else if (owns)
		strcpy(search->found, instance);
}

int datapath_find_owner(uint32_t program_id, char *instance)
{
	struct owner_search search = {.program_id = program_id, .found = instance};

	*instance = '\0';
	instance_each(try_owner, &search);
	return *instance ? 0 : search.err;
}

int datapath_find_sender(int ifindex, char *instance)
{
	struct share share;
	_cleanup_close_ int fd = share_find(ifindex, NULL, &share);

	*instance = '\0';
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!*share.listener)
		strcpy(instance, share.sender);
	return 0;
}

/* Other programs of it, as the passing one, have longer names. */
static bool is_stray(const struct xdp_program *program)
{
	char owner[INSTANCE_NAME_MAX + 1];

	return strcmp(program->name, "vxlan_pipeline") == 0 &&
	       datapath_find_owner(program->id, owner) == 0 && !*owner;
}

bool datapath_find_stray(struct datapath_stray *stray)
{
	struct if_nameindex *all = if_nameindex();
	bool found = false;

	for (size_t i = 0; all && all[i].if_index && !found; i++) {
		stray->program = xdp_program_on((int)all[i].if_index);
		snprintf(stray->interface, sizeof(stray->interface), "%s", all[i].if_name);
		found = is_stray(&stray->program);
	}
	if (all)
		if_freenameindex(all);
	return found;
}

int datapath_not_attached(const char *instance, struct error *error)
{
	char program[XDP_PROGRAM_TEXT_SIZE];
	struct instance_daemon daemon;
	struct datapath_stray stray;

	instance_see_daemon(instance, &daemon);
	if (daemon.place != DAEMON_NOWHERE || !datapath_find_stray(&stray))
		return instance_not_attached(instance, error);
	return error_set(error, -ENOENT,
			 "nothing of instance %s is pinned here, but %s carries the XDP program "
			 "%s, " INSTANCE_PINNED_ELSEWHERE " ask there",
			 instance, stray.interface, xdp_program_format(&stray.program, program));
}

int datapath_in_the_way(int ifindex, const char *interface, struct error *error)
{
	struct xdp_program program = xdp_program_on(ifindex);
	char text[XDP_PROGRAM_TEXT_SIZE];

	if (!is_stray(&program))
		return xdp_program_in_the_way(ifindex, interface, error);
	return error_set(error, -EBUSY,
			 "%s already serves an instance (program %s) " INSTANCE_PINNED_ELSEWHERE
			 " stop it there",
			 interface, xdp_program_format(&program, text));
}

int datapath_check_free(const char *instance, int ifindex, const char *interface,
			struct error *error)
{
	_cleanup_close_ int lock = share_lock(); /* no instance hands it over meanwhile */
	char sender[INSTANCE_NAME_MAX + 1];
	struct bpf_link_info link;
	int err;

	if (!xdp_program_on(ifindex).id)
		return 0;
	err = datapath_read_link(instance, PIN_LINK, &link);
	if (!err && (int)link.xdp.ifindex == ifindex)
		return 0;
	if (err && err != -ENOENT)
		return datapath_explain_read(instance, err, error);
	err = datapath_find_sender(ifindex, sender);
	if (err)
		return error_set(error, err, "whose XDP program %s carries cannot be found out: %s",
				 interface, strerror(-err));
	return *sender ? 0 : datapath_in_the_way(ifindex, interface, error);
}
