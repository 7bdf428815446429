/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose the XDP programs on interfaces are, as far as pins tell that this process sees. */
#ifndef DATAPATH_OWNER_H
#define DATAPATH_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/xdp_program.h"

/* Is it a program of this instance, of the current generation or an earlier one? */
bool datapath_owns(const char *instance, uint32_t program_id);
/* The instance whose program it is: its name, or an empty text. INSTANCE_NAME_MAX + 1 bytes. */
void datapath_find_owner(uint32_t program_id, char *instance);

/*
 * Does the interface carry a program that only passes packets, for instances that send by it? It gives
 * way to one that listens. Then *instance is one of them; INSTANCE_NAME_MAX + 1 bytes.
 */
bool datapath_find_sender(int ifindex, char *instance);

/* A datapath on an interface of this network namespace that no instance has pinned where it is seen. */
struct datapath_stray {
	char interface[16];
	struct xdp_program program;
};

/* The first one. Programs' names take CAP_SYS_ADMIN: without it none is found. */
bool datapath_find_stray(struct datapath_stray *stray);

/* Says that nothing of the instance is pinned here, what there is instead, and what to do; -ENOENT. */
int datapath_not_attached(const char *instance, struct error *error);

/* 0, or -EBUSY: the interface carries a program that is not the instance's and gives it no way. */
int datapath_check_free(const char *instance, int ifindex, const char *interface,
			struct error *error);
/* Says which program is in the way there; -EBUSY. */
int datapath_in_the_way(int ifindex, const char *interface, struct error *error);

#endif
