/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Capabilities: whether there are enough, and giving up those that nothing needs any more. Needed are
 * CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; CAP_SYS_ADMIN stands for the first and the last one, as it
 * does in the kernel, which did not know them before Linux 5.8.
 */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include <stdbool.h>

#include "base/error.h"

#define PRIVILEGE_NEEDED "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"

/* Those of them that are not in effect: "CAP_BPF, CAP_PERFMON", or an empty text. Returns `text`. */
#define PRIVILEGE_TEXT_SIZE 48
const char *privilege_missing(char *text);

/* 0; -EPERM: some are missing, which *error names. */
int privilege_check(struct error *error);

/*
 * Keeps those of this thread that are needed, which reloads are, too: CAP_SYS_ADMIN only where it
 * stands for another one. Lets nothing that the thread may start have more. Threads that run already
 * keep theirs. 0 or -errno.
 */
int privilege_drop(struct error *error);

#endif
