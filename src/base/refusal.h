/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why the kernel refuses bpf(2): for want of privileges, or although there are enough of them. The
 * error number alone does not tell.
 */
#ifndef BASE_REFUSAL_H
#define BASE_REFUSAL_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Did a bpf(2) that ended with `err`, a negative errno, fail because this process may not call it, or
 * not so? false: it failed of itself, as with a program that the verifier refuses.
 */
bool refusal_is(int err);

/* Says "WHAT: " and the cause of such an `err`, and what helps; returns `err`. */
int refusal_explain(int err, const char *what, struct error *error);

/* May this process use bpf(2)? Tries the least that one can ask for. 0, or -errno and why not. */
int refusal_check(struct error *error);

#endif
