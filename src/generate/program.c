// SPDX-License-Identifier: GPL-2.0-only
/* The sending program in the kernel. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <linux/if_link.h>

#include "base/cleanup.h"
#include "base/refusal.h"
#include "generate/internal.h"
#include "net/parking.h"

#include "generate.skel.h"

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

struct generator_program {
	struct generate_bpf *skeleton;
	uint8_t frame[GENERATE_MAX_FRAME];
	uint32_t length;
	struct parking parking;
	int egress; /* the link of generator_program_open_egress(), or -1 */
};

static int run_live(const struct generator_program *program, const struct bpf_program *bpf,
		    uint32_t packets, uint32_t batch)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = program->frame,
		    .data_size_in = program->length, .repeat = packets, .batch_size = batch,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(bpf_program__fd(bpf), &options) ? -errno : 0;
}

/* Does this kernel take such frames? Finds out without sending any. */
static int probe(const struct generator_program *program, struct error *error)
{
	int err = run_live(program, program->skeleton->progs.generate_none, 1, 1);
	struct utsname kernel;

	if (!err)
		return 0;
	uname(&kernel);
	return error_set(error, err,
			 "this kernel (%s) does not send frames of %u bytes from within: that "
			 "takes Linux 5.18 or later, and 6.3 for more than %d bytes (--inner-size "
			 "%zu): %s",
			 kernel.release, program->length, GENERATE_MAX_FRAME_OLD,
			 GENERATE_MAX_FRAME_OLD - GENERATE_ENCAPSULATION, strerror(-err));
}

int generator_explain_load(int err, const char *program, const char *version, struct error *error)
{
	struct utsname kernel;

	if (refusal_is(err))
		return refusal_explain(err, "not permitted to load BPF programs", error);
	uname(&kernel);
	return error_set(error, err,
			 "this kernel (%s) refuses the %s program, which takes Linux %s or later: "
			 "%s",
			 kernel.release, program, version, strerror(-err));
}

static int generator_load(struct generator_program *program, const struct generator_frame *frame,
			  int ifindex, struct error *error)
{
	uint32_t zero = 0, device = ifindex;
	int err;

	program->skeleton = generate_bpf__open();
	if (!program->skeleton)
		return error_set(error, -errno, "cannot open the sending program: %s",
				 strerror(errno));
	program->skeleton->rodata->config = frame->config;
	memcpy(program->skeleton->bss->payload, frame->bytes + sizeof(struct generate_head),
	       frame->config.rest);
	err = generate_bpf__load(program->skeleton);
	if (err)
		return generator_explain_load(err, "sending", "5.18", error);
	if (bpf_map_update_elem(bpf_map__fd(program->skeleton->maps.egress), &zero, &device,
				BPF_ANY))
		return error_set(error, -errno, "cannot redirect to the interface: %s",
				 strerror(errno));
	err = parking_open(&program->parking,
			   bpf_program__fd(program->skeleton->progs.generate_send));
	if (err)
		return error_set(error, err,
				 "cannot set up a network namespace for the sending program: %s",
				 strerror(-err));
	return probe(program, error);
}

int generator_program_load(struct generator_program **out, const struct generator_frame *frame,
			   int ifindex, struct error *error)
{
	struct generator_program *program = calloc(1, sizeof(*program));
	int err;

	if (!program)
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	program->parking = PARKING_NONE;
	program->egress = -1;
	libbpf_set_print(NULL);
	memcpy(program->frame, frame->bytes, frame->length);
	program->length = frame->length;
	err = generator_load(program, frame, ifindex, error);
	if (err) {
		generator_program_free(program);
		return err;
	}
	*out = program;
	return 0;
}

int generator_program_open_egress(struct generator_program *program, int ifindex)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_program__fd(program->skeleton->progs.generate_pass);

	program->egress = bpf_link_create(fd, ifindex, BPF_XDP, &options);
	return program->egress < 0 ? program->egress : 0;
}

int generator_program_run(struct generator_program *program, uint32_t packets, uint32_t batch)
{
	return run_live(program, program->skeleton->progs.generate_send, packets, batch);
}

uint64_t generator_program_sent(const struct generator_program *program)
{
	return __atomic_load_n(&program->skeleton->bss->state.number, __ATOMIC_RELAXED);
}

void generator_program_free(struct generator_program *program)
{
	if (!program)
		return;
	cleanup_close(&program->egress);
	parking_close(&program->parking);
	generate_bpf__destroy(program->skeleton);
	free(program);
}
