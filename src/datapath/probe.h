/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel below the datapath can do. */
#ifndef DATAPATH_PROBE_H
#define DATAPATH_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/answer.h"

struct datapath_features {
	enum answer xdp;       /* XDP programs load */
	int xdp_err;           /* -errno of one that did not */
	enum answer link;      /* they are attached by links (Linux 5.9) */
	enum answer devmap;    /* programs run on the way out of a device (5.8) */
	enum answer broadcast; /* a frame can be sent several times over (5.14) */
	enum answer frags;     /* frames may come in several buffers (5.18) */
	enum answer jit;       /* programs are compiled, not interpreted */
	char libbpf[16];       /* the version that this program runs with: "1.1" */
};

/* Finds out by trying, on nothing that carries traffic. */
void datapath_probe(struct datapath_features *features);

/* Does the kernel run programs on frames in several buffers (Linux 5.18)? */
bool datapath_can_take_buffers(void);

#endif
