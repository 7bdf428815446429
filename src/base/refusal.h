/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds out why bpf(2) is refused: this process lacks a privilege, or something else forbids it.
 * The error number does not tell.
 */
#ifndef BASE_REFUSAL_H
#define BASE_REFUSAL_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Is `err`, a negative errno of bpf(2), a refusal? False: the call failed for another reason, such
 * as a program that the verifier rejects.
 */
bool refusal_is(int err);

/* For a refusal: says "WHAT: ", the cause and the remedy; returns `err`. */
int refusal_explain(int err, const char *what, struct error *error);

/*
 * Until Linux 5.10 BPF's memory counts as locked memory. libbpf lifts the limit when it loads a program, if this process may:
 * a daemon that loads its first one later lifts it before it drops capabilities.
 */
void refusal_lift_limit(void);

/* Tries to make the smallest map there is: 0, or -errno and why bpf(2) is refused. */
int refusal_check(struct error *error);

#endif
