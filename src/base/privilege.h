/* SPDX-License-Identifier: GPL-2.0-only */
/* Capabilities: whether there are enough, and giving up those that nothing needs any more. */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Keeps CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON of what this thread has, which reloads need, and
 * lets nothing that it may start have more. Threads that run already keep theirs. 0 or -errno.
 */
int privilege_drop(struct error *error);

/* Whether those three are in effect. */
bool privilege_is_enough(void);

/* Says that this process may not load BPF programs without `capabilities`; returns -EPERM. */
int privilege_explain_refusal(const char *capabilities, struct error *error);

#endif
