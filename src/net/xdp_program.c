// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if.h>
#include <linux/if_link.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "net/xdp_program.h"

static void xdp_program_find_link(int ifindex, struct xdp_program *program)
{
	uint32_t id = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info = {0};
		uint32_t size = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
		    info.type == BPF_LINK_TYPE_XDP && info.prog_id == program->id &&
		    info.xdp.ifindex == (uint32_t)ifindex) {
			program->link = id;
			break;
		}
	}
	program->link_known = program->link || errno == ENOENT; /* the end of the list */
}

struct xdp_program xdp_program_on(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct xdp_program program = {0};
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	_cleanup_close_ int fd = -1;

	program.err = bpf_xdp_query(ifindex, 0, &query);
	if (program.err)
		return program;
	program.id = query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	if (!program.id)
		program.id = query.prog_id;
	program.generic = query.attach_mode == XDP_ATTACHED_SKB;
	fd = program.id ? bpf_prog_get_fd_by_id(program.id) : -1;
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
		memcpy(program.name, info.name, sizeof(program.name));
	if (program.id)
		xdp_program_find_link(ifindex, &program);
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

const char *xdp_program_removal(const struct xdp_program *program, const char *interface,
				char *text)
{
	char name[QUOTE_SIZE(IFNAMSIZ)];

	if (!program->link_known)
		snprintf(text, XDP_REMOVAL_SIZE, "sudo vxlan-pipeline check, which tells how");
	else if (program->link)
		snprintf(text, XDP_REMOVAL_SIZE, "bpftool link detach id %" PRIu32, program->link);
	else
		snprintf(text, XDP_REMOVAL_SIZE, "ip link set dev %s xdp%s off",
			 quote_word(name, sizeof(name), interface),
			 program->generic ? "generic" : "");
	return text;
}

int xdp_program_in_the_way(int ifindex, const char *interface, struct error *error)
{
	struct xdp_program program = xdp_program_on(ifindex);
	char text[XDP_PROGRAM_TEXT_SIZE], removal[XDP_REMOVAL_SIZE];

	if (program.err)
		return error_set(error, -EBUSY,
				 "%s already carries an XDP program; which one cannot be found "
				 "out: %s",
				 interface, strerror(-program.err));
	xdp_program_format(&program, text);
	xdp_program_removal(&program, interface, removal);
	if (!*program.name)
		return error_set(error, -EBUSY,
				 "%s already carries the XDP program %s; bpftool prog show id %u "
				 "says which; remove it with the tool that attached it, or: %s",
				 interface, text, program.id, removal);
	if (xdp_program_ours(&program))
		return error_set(error, -EBUSY,
				 "%s already serves another instance (program %s); ls "
				 "/sys/fs/bpf/vxlan-pipeline names them, and: vxlan-pipeline stop "
				 "--instance NAME",
				 interface, text);
	return error_set(error, -EBUSY,
			 "%s already carries the XDP program %s, which is not ours; "
			 "remove it with the tool that attached it, or: %s",
			 interface, text, removal);
}
