// SPDX-License-Identifier: GPL-2.0-only
/* What this kernel can do, found out by trying it: distributions backport. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_link.h>

#include "base/cleanup.h"
#include "datapath/share.h"
#include "datapath/probe.h"

/* r1 = map, r2 = 0, r3 = BPF_F_BROADCAST, return bpf_redirect_map(r1, r2, r3) */
static int load_broadcast(int map_fd)
{
	const struct bpf_insn program[] = {
		{.code = BPF_LD | BPF_DW /* | BPF_IMM, which is 0 */,
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

/*
 * Does the kernel answer so to what it does not know? Other errors, such as want of memory or of
 * permission, say nothing about what it knows.
 */
static bool probe_is_refusal(int err)
{
	static const int refusals[] = {EINVAL, ENOSYS, E2BIG, EOPNOTSUPP, 524 /* ENOTSUPP */};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (err == -refusals[i])
			return true;
	}
	return false;
}

static enum answer probe_answer(int err)
{
	if (err >= 0)
		return ANSWER_YES;
	return probe_is_refusal(err) ? ANSWER_NO : ANSWER_UNKNOWN;
}

/* The same as a number: 1, 0, or -errno where the answer is not known. */
static int probe_result(int err)
{
	if (err >= 0)
		return 1;
	return probe_is_refusal(err) ? 0 : err;
}

/* Kernels before 5.14 answer an unknown flag with XDP_ABORTED. */
int datapath_can_broadcast(void)
{
	_cleanup_close_ int map_fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP, "probe", sizeof(uint32_t),
						    sizeof(struct bpf_devmap_val), 1, NULL);
	_cleanup_close_ int program_fd = map_fd < 0 ? map_fd : load_broadcast(map_fd);
	char frame[ETH_HLEN] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);
	int err = program_fd < 0 ? program_fd : bpf_prog_test_run_opts(program_fd, &options);

	return err < 0 ? probe_result(err) : options.retval == XDP_REDIRECT;
}

/* A program that passes everything: a file descriptor, or -errno. */
static int load_pass(enum bpf_attach_type type, uint32_t flags)
{
	static const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type, .prog_flags = flags);

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "probe_pass", "GPL", program,
			     sizeof(program) / sizeof(program[0]), &options);
}

static enum answer loads(enum bpf_attach_type type, uint32_t flags)
{
	_cleanup_close_ int fd = load_pass(type, flags);

	return probe_answer(fd);
}

int datapath_can_multi_buffer(void)
{
	_cleanup_close_ int fd = load_pass(BPF_XDP, BPF_F_XDP_HAS_FRAGS);

	return probe_result(fd);
}

bool datapath_can_take_buffers(void)
{
	return loads(BPF_XDP, BPF_F_XDP_HAS_FRAGS) == ANSWER_YES;
}

/* What is interpreted has no compiled length. */
static enum answer probe_jit(void)
{
	_cleanup_close_ int fd = load_pass(BPF_XDP, 0);
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return ANSWER_UNKNOWN;
	return info.jited_prog_len ? ANSWER_YES : ANSWER_NO;
}

/* On the loopback device of a network namespace that nobody else sees. */
static enum answer try_link(void)
{
	_cleanup_close_ int program = load_pass(BPF_XDP, 0);
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);

	if (program < 0 || unshare(CLONE_NEWNET) < 0)
		return ANSWER_UNKNOWN;
	return probe_answer(bpf_link_create(program, (int)if_nametoindex("lo"), BPF_XDP, &options));
}

/* In a process of its own, since the namespace is for good. */
static enum answer probe_link(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(try_link());
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return ANSWER_UNKNOWN;
	return (enum answer)WEXITSTATUS(status);
}

void datapath_probe(struct datapath_features *features)
{
	_cleanup_close_ int probe = -1;
	int broadcast;

	libbpf_set_print(NULL);
	probe = load_pass(BPF_XDP, 0);
	*features = (struct datapath_features){.xdp = probe_answer(probe)};
	features->xdp_err = probe < 0 ? probe : 0;
	snprintf(features->libbpf, sizeof(features->libbpf), "%u.%u", libbpf_major_version(),
		 libbpf_minor_version());
	if (features->xdp != ANSWER_YES)
		return;
	features->jit = probe_jit();
	features->link = probe_link();
	features->devmap = loads(BPF_XDP_DEVMAP, 0);
	features->frags = loads(BPF_XDP, BPF_F_XDP_HAS_FRAGS);
	broadcast = datapath_can_broadcast();
	if (broadcast >= 0)
		features->broadcast = broadcast ? ANSWER_YES : ANSWER_NO;
}
