/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files datapath_*.c, the only ones that know libbpf, share. */
#ifndef DATAPATH_INTERNAL_H
#define DATAPATH_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath.h"
#include "pipeline.skel.h"

struct datapath {
	struct pipeline_bpf *skeleton;
	struct datapath_links links;
	uint32_t generation;
};

/* Names of pins below an instance's directory. */
#define PIN_LINK        "link"
#define PIN_EGRESS_LINK "egress_link"
#define PIN_CURRENT     "current"
#define PIN_PROGRAM     "program" /* of a generation */

/* Opens INSTANCE_PINS/instance/NAME: a file descriptor, or -errno. */
int datapath_open_pin(const char *instance, const char *name);

/* Does a pinned map still have the shape this build gives it? */
bool datapath_map_fits(int fd, const struct bpf_map *map);

/* Reads all CPUs' values of one element and adds them up as 64-bit words into `sum`. 0 or -errno. */
int datapath_sum_cpus(int map_fd, const void *key, size_t value_size, uint64_t *sum);

/* The array behind a BPF_F_MMAPABLE map, or MAP_FAILED; unmap `*size` bytes. */
void *datapath_map_array(int map_fd, int protection, size_t *size);

#endif
