/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A drained instance forwards on, but /healthz answers 503, so that a load balancer sends new flows
 * elsewhere.
 */
#ifndef INSTANCE_DRAINED_H
#define INSTANCE_DRAINED_H

#include <stdbool.h>

#include "base/error.h"

/* Lasts until it is taken back or the instance is removed. 0; -ENOENT: nothing is attached. */
int instance_set_drained(const char *name, bool drained, struct error *error);
bool instance_is_drained(const char *name);

#endif
