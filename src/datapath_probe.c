// SPDX-License-Identifier: GPL-2.0-only
/* What this kernel can do, found out by trying it: distributions backport. */
#include <errno.h>
#include <unistd.h>

#include <linux/if_ether.h>

#include "cleanup.h"
#include "datapath_internal.h"

/* r1 = map, r2 = 0, r3 = BPF_F_BROADCAST, return bpf_redirect_map(r1, r2, r3) */
static int load_broadcast(int map_fd)
{
	const struct bpf_insn program[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = BPF_F_BROADCAST},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "probe_broadcast", "GPL", program,
			     sizeof(program) / sizeof(program[0]), NULL);
}

/* Kernels before 5.14 answer an unknown flag with XDP_ABORTED. */
bool datapath_can_broadcast(void)
{
	_cleanup_close_ int map_fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP, "probe", sizeof(uint32_t),
						    sizeof(struct bpf_devmap_val), 1, NULL);
	_cleanup_close_ int program_fd = map_fd < 0 ? -1 : load_broadcast(map_fd);
	char frame[ETH_HLEN] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);

	return program_fd >= 0 && bpf_prog_test_run_opts(program_fd, &options) == 0 &&
	       options.retval == XDP_REDIRECT;
}
