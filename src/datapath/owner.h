/* SPDX-License-Identifier: GPL-2.0-only */
/* Which instance the XDP program of an interface belongs to, by the pins that this process sees. */
#ifndef DATAPATH_OWNER_H
#define DATAPATH_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/xdp_program.h"

/* Is it a program of this instance, of its current generation or an earlier one? 1, 0 or -errno. */
int datapath_owns(const char *instance, uint32_t program_id);

/*
 * The instance whose program it is, of its current generation or an earlier one: its name, or an empty
 * text. INSTANCE_NAME_MAX + 1 bytes. 0; -errno: not known, as some instance's pins cannot be read.
 */
int datapath_find_owner(uint32_t program_id, char *instance);

/*
 * Does the interface carry a program that only passes packets, for instances that send by it? It
 * gives way to one that listens. Then *instance is one of them, else empty; INSTANCE_NAME_MAX + 1
 * bytes. 0; -errno: not known.
 */
int datapath_find_sender(int ifindex, char *instance);

/* A datapath on an interface of this network namespace whose pins this process does not see. */
struct datapath_stray {
	char interface[16];
	struct xdp_program program;
};

/* Finds one. Takes CAP_SYS_ADMIN, which programs' names need; without it there is none. */
bool datapath_find_stray(struct datapath_stray *stray);

/* Says that nothing of the instance is pinned here, and what to do; returns -ENOENT. */
int datapath_not_attached(const char *instance, struct error *error);

/*
 * 0; -EBUSY: the interface carries a program that the instance can neither replace nor share; else
 * -errno: not known.
 */
int datapath_check_free(const char *instance, int ifindex, const char *interface,
			struct error *error);
/* Says which program is in the way there; -EBUSY. */
int datapath_in_the_way(int ifindex, const char *interface, struct error *error);

#endif
