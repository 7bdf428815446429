/* SPDX-License-Identifier: GPL-2.0-only */
/* Which XDP program an interface carries, whose it is, and how to remove it. */
#ifndef NET_XDP_PROGRAM_H
#define NET_XDP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct xdp_program {
	int err;       /* -errno: the kernel did not say, and nothing is known */
	uint32_t id;   /* 0: none */
	char name[16]; /* empty: it has none, or this process lacks CAP_SYS_ADMIN to ask for it */
	bool generic;
	bool link_known; /* asking takes CAP_SYS_ADMIN */
	uint32_t link;   /* the id of the BPF link that holds it; 0: none */
};

#define XDP_PROGRAM_TEXT_SIZE 48

struct xdp_program xdp_program_on(int ifindex);
/* "'NAME' (id 7)", or as much of it as is known. Returns `text`. */
const char *xdp_program_format(const struct xdp_program *program, char *text);
/* Is it one of this product's programs, by its name? */
bool xdp_program_ours(const struct xdp_program *program);
/*
 * The command that removes the program from an interface, whose name may need quotes; or, if it is
 * not known, the command that tells it. Returns `text`.
 */
#define XDP_REMOVAL_SIZE 128
const char *xdp_program_removal(const struct xdp_program *program, const char *interface,
				char *text);
/* Returns -EBUSY; the error names the program in the way and how to remove it. */
int xdp_program_in_the_way(int ifindex, const char *interface, struct error *error);

#endif
