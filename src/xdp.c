// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "cleanup.h"
#include "xdp.h"

struct xdp_program xdp_program_on(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct xdp_program program = {0};
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	_cleanup_close_ int fd = -1;

	if (bpf_xdp_query(ifindex, 0, &query))
		return program;
	program.id = query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	if (!program.id)
		program.id = query.prog_id;
	program.generic = query.attach_mode == XDP_ATTACHED_SKB;
	fd = program.id ? bpf_prog_get_fd_by_id(program.id) : -1;
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
		memcpy(program.name, info.name, sizeof(program.name));
	return program;
}

const char *xdp_program_format(const struct xdp_program *program, char *text)
{
	if (*program->name)
		snprintf(text, XDP_PROGRAM_TEXT_SIZE, "'%s' (id %" PRIu32 ")", program->name,
			 program->id);
	else
		snprintf(text, XDP_PROGRAM_TEXT_SIZE, "with id %" PRIu32, program->id);
	return text;
}

bool xdp_program_ours(const struct xdp_program *program)
{
	return strncmp(program->name, "vxlan_pipeline", strlen("vxlan_pipeline")) == 0 ||
	       strncmp(program->name, "generate_", strlen("generate_")) == 0;
}

int xdp_program_in_the_way(int ifindex, const char *interface, struct error *error)
{
	struct xdp_program program = xdp_program_on(ifindex);
	char text[XDP_PROGRAM_TEXT_SIZE];

	xdp_program_format(&program, text);
	if (!*program.name)
		return error_set(
			error, -EBUSY,
			"%s already carries the XDP program %s; bpftool prog show id %u "
			"says which; remove it with the tool that attached it, or: ip link "
			"set dev %s xdp off",
			interface, text, program.id, interface);
	if (xdp_program_ours(&program))
		return error_set(error, -EBUSY,
				 "%s already serves another instance (program %s); ls "
				 "/sys/fs/bpf/vxlan-pipeline names them, and: vxlan-pipeline stop "
				 "--instance NAME",
				 interface, text);
	return error_set(error, -EBUSY,
			 "%s already carries the XDP program %s, which is not ours; "
			 "remove it with the tool that attached it, or: ip link set dev %s xdp off",
			 interface, text, interface);
}
