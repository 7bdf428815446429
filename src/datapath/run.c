// SPDX-License-Identifier: GPL-2.0-only
/* Running a loaded generation by hand, for `explain`. */
#include <errno.h>
#include <string.h>

#include <linux/if_ether.h>

#include "datapath/internal.h"

#define LOOPBACK 1 /* its ifindex in every network namespace */

/* Such kernels refuse a program with our devmap in generic mode, which is all that loopback has. */
void datapath_park(struct datapath *datapath)
{
	struct pipeline_bpf *skeleton = datapath->skeleton;

	skeleton->links.vxlan_pipeline = bpf_program__attach_xdp(skeleton->progs.vxlan_pipeline,
								 datapath->links.listen_ifindex);
	if (datapath->fragmenting == FRAGMENTING_IN_XDP)
		skeleton->links.vxlan_pipeline_explain =
			bpf_program__attach_xdp(skeleton->progs.vxlan_pipeline_explain, LOOPBACK);
}

/*
 * Linux before 5.15 takes no context: there every frame comes in on the namespace's loopback, which
 * makes no difference where loopback forwards as the interface of the context does.
 */
static int test_run(struct datapath *datapath, int program_fd, struct bpf_test_run_opts *options)
{
	size_t room = options->data_size_out;
	int err = -EINVAL;

	if (!datapath->contextless)
		err = bpf_prog_test_run_opts(program_fd, options);
	if (err != -EINVAL || options->data_size_in > DATAPATH_ONE_BUFFER)
		return err;
	options->ctx_in = NULL;
	options->ctx_size_in = 0;
	options->data_size_out = room;
	err = bpf_prog_test_run_opts(program_fd, options);
	datapath->contextless = !err;
	return err;
}

/* One run of one program. */
static int run_once(struct datapath *datapath, int program_fd, int ifindex, const void *frame,
		    size_t length, struct datapath_frame *out, uint32_t *action,
		    struct error *error)
{
	struct xdp_md context = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length,
		    .data_out = out->bytes, .data_size_out = sizeof(out->bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);
	int err = test_run(datapath, program_fd, &options);

	if (err)
		return error_set(error, err, "the kernel does not run the program: %s",
				 strerror(-err));
	*action = options.retval;
	out->length = options.data_size_out;
	return 0;
}

/* The kernel would copy the frame and trim each copy on its way out; the same by hand. */
static int run_fragments(struct datapath *datapath, struct datapath_outcome *outcome,
			 struct error *error)
{
	int program_fd = bpf_program__fd(datapath->skeleton->progs.vxlan_pipeline_explain);
	uint8_t shimmed[DATAPATH_ONE_BUFFER]; /* only what came in one buffer is fragmented */
	size_t length = outcome->frames[0].length;
	uint32_t action;

	if (length > sizeof(shimmed))
		return error_set(error, -EMSGSIZE, "a frame of %zu bytes to be fragmented", length);
	memcpy(shimmed, outcome->frames[0].bytes, length);
	for (size_t i = 0; i < MAX_FRAGMENTS; i++) {
		int err = run_once(datapath, program_fd, datapath->links.egress_ifindex, shimmed,
				   length, &outcome->frames[i], &action, error);

		if (err)
			return err;
		if (action != XDP_PASS)
			break;
		outcome->frame_count = i + 1;
	}
	return 0;
}

/* What the kernel says of a frame in more buffers than it takes, or than the program was loaded for. */
static bool run_refused_size(int err, size_t length)
{
	return length > DATAPATH_ONE_BUFFER && (err == -EINVAL || err == -ENOMEM);
}

static bool run_takes_buffers(const struct datapath *datapath)
{
	return datapath->skeleton->rodata->config.buffers != BUFFERS_ONE;
}

static int run_explain_size(const struct datapath *datapath, size_t length, struct error *error)
{
	if (run_takes_buffers(datapath))
		return error_set(error, -EMSGSIZE,
				 "%zu bytes are more than this kernel takes for a trial run",
				 length);
	return error_set(error, -EMSGSIZE,
			 "%zu bytes are more than the %d that this kernel takes for a trial run; "
			 "Linux 5.18 takes more",
			 length, DATAPATH_ONE_BUFFER);
}

int datapath_run(struct datapath *datapath, const void *frame, size_t length,
		 struct datapath_outcome *outcome, struct error *error)
{
	int program_fd = bpf_program__fd(datapath->skeleton->progs.vxlan_pipeline);
	int err;

	if (length < ETH_HLEN)
		return error_set(error, -EINVAL, "shorter than an Ethernet header");
	if (length > (run_takes_buffers(datapath) ? DATAPATH_MAX_FRAME : DATAPATH_ONE_BUFFER))
		return run_explain_size(datapath, length, error);
	outcome->frame_count = 1;
	datapath->skeleton->data_trace->trace = (struct trace){.vni = VNI_NONE};
	err = run_once(datapath, program_fd, datapath->links.listen_ifindex, frame, length,
		       &outcome->frames[0], &outcome->action, error);
	if (run_refused_size(err, length))
		return run_explain_size(datapath, length, error);
	if (!err)
		outcome->trace = datapath->skeleton->data_trace->trace;
	if (!err && outcome->trace.verdict == VERDICT_FRAGMENTED)
		err = run_fragments(datapath, outcome, error);
	return err;
}
