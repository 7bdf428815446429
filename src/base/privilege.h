/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks and drops capabilities. The program needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.
 * CAP_SYS_ADMIN includes the first and the last one, which the kernel has had since Linux 5.8.
 */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include <stdbool.h>

#include "base/error.h"

#define PRIVILEGE_NEEDED "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"

/* Lists those that are not effective: "CAP_BPF, CAP_PERFMON", or an empty text. Returns `text`. */
#define PRIVILEGE_TEXT_SIZE 48
const char *privilege_missing(char *text);

/* 0; -EPERM: *error names those that are missing. */
int privilege_check(struct error *error);

/*
 * Drops all capabilities of this thread that reloads do not need; keeps CAP_SYS_ADMIN only if
 * CAP_BPF or CAP_PERFMON is missing. Programs that the thread starts cannot have more. Other
 * threads keep theirs. 0 or -errno.
 */
int privilege_drop(struct error *error);

#endif
