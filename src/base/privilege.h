/* SPDX-License-Identifier: GPL-2.0-only */
/* Capabilities: does this process have enough, and giving up those that it no longer needs. */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Keeps of this thread's capabilities only CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, which reloads
 * need. Threads and programs that it starts cannot have more; threads that run already keep theirs.
 * 0 or -errno.
 */
int privilege_drop(struct error *error);

/* Are those three in effect? */
bool privilege_is_enough(void);

/* Says that this process may not load BPF programs without `capabilities`; returns -EPERM. */
int privilege_explain_refusal(const char *capabilities, struct error *error);

#endif
