/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel below the datapath can do, and whose a program is. */
#ifndef DATAPATH_PROBE_H
#define DATAPATH_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/answer.h"

struct datapath_features {
	enum answer xdp;       /* XDP programs load */
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

/* Is it a program of this instance, of the current generation or an earlier one? */
bool datapath_owns(const char *instance, uint32_t program_id);
/* The instance whose program it is: its name, or an empty text. INSTANCE_NAME_MAX + 1 bytes. */
void datapath_find_owner(uint32_t program_id, char *instance);
/*
 * Does the interface carry a program that only passes packets, so that instances can send by it? Such a
 * program gives way to one that listens. Then *instance names a sender; INSTANCE_NAME_MAX + 1 bytes.
 */
bool datapath_find_sender(int ifindex, char *instance);

#endif
