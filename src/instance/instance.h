/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an instance keeps its state, and which process controls it. */
#ifndef INSTANCE_INSTANCE_H
#define INSTANCE_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define INSTANCE_BPFFS     "/sys/fs/bpf"
#define INSTANCE_PINS      INSTANCE_BPFFS "/vxlan-pipeline"
#define INSTANCE_RUN       "/run/vxlan-pipeline"
#define INSTANCE_DEFAULT   "config"
#define INSTANCE_NAME_MAX  64
#define INSTANCE_PATH_SIZE 256
#define INSTANCE_UNIT_SIZE (sizeof("vxlan-pipeline@") + INSTANCE_NAME_MAX)

/* Letters, digits, '-' and '_', at most INSTANCE_NAME_MAX: BPF file systems allow no dots. */
bool instance_name_valid(const char *name);

/* The systemd unit of the instance. Returns `text`, which holds INSTANCE_UNIT_SIZE bytes. */
const char *instance_unit(char *text, const char *name);
/* Says that nothing of the instance is pinned, and what to do about it; -ENOENT. */
int instance_not_attached(const char *name, struct error *error);

/* Calls `visit` for each instance that has something pinned. */
void instance_each(void (*visit)(const char *name, void *data), void *data);

/* INSTANCE_PINS/NAME, or below it. Returns `path`, which holds INSTANCE_PATH_SIZE bytes. */
const char *instance_pin_path(char *path, const char *name, const char *below);

bool instance_has_bpffs(void); /* is it mounted? */
/* Mounts the BPF file system if it is not, and makes the instance's directory below it. */
int instance_make_pins(const char *name, struct error *error);
/* Removes a directory and all below it: 0, or -errno; -ENOENT when there is none. */
int instance_remove_tree(const char *path);
/* Removes everything pinned for the instance; -ENOENT if there was nothing. */
int instance_remove_pins(const char *name, struct error *error);

/*
 * Makes this process the instance's only daemon, until it ends or calls instance_unlock(), with no
 * reloads so far. Returns a file descriptor; -EBUSY when another daemon is, or for a whole second
 * somebody who does not say who it is.
 */
int instance_lock(const char *name, struct error *error);
void instance_unlock(const char *name, int fd);

/* Removes what a daemon that was killed left in INSTANCE_RUN; nothing while one runs. */
void instance_tidy(const char *name);

/*
 * A drained instance forwards on, but its health says no, so that a load balancer moves flows away.
 * Lasts until it is taken back or the instance is removed. 0; -ENOENT: nothing is attached.
 */
int instance_set_drained(const char *name, bool drained, struct error *error);
bool instance_is_drained(const char *name);

/*
 * How the daemon's loads of its configuration went, for who asked for one. The start is number 1: all
 * that is asked for while one is under way is done by the next.
 */
struct instance_reloads {
	unsigned int begun;
	unsigned int ended;
	bool failed; /* the last one that ended */
	char why[sizeof(((struct error *)NULL)->text)];
};

/* For who holds the lock; 0 or -errno. Needs no room on the disk: instance_lock() took it. */
int instance_write_reloads(const char *name, const struct instance_reloads *reloads);
/* 0; -ENOENT: no daemon wrote any; -EBADMSG: one of another version did; else -errno. */
int instance_read_reloads(const char *name, struct instance_reloads *reloads);

/*
 * The process id of the instance's daemon, in that daemon's PID namespace; 0 when none runs, or none
 * that can be asked for anything yet.
 */
pid_t instance_daemon(const char *name);
/* For who needs one: -ESRCH when none runs, -EACCES when it takes root to see. */
int instance_find_daemon(const char *name, pid_t *daemon, struct error *error);

#endif
