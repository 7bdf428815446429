/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's last judgement, for `status`: the daemon has seen more readings than a command that
 * runs for half a second, and knows reasons that no pinned state tells.
 */
#ifndef OBSERVE_PUBLISHED_H
#define OBSERVE_PUBLISHED_H

#include "observe/health.h"

/* For the daemon. 0 or -errno; then `status` judges by itself. */
int health_publish(const char *instance, const struct health *health);
/* 0; -ENOENT: there is none; -ESTALE: it is older than HEALTH_STALLED_MS; else -errno. */
int health_read_published(const char *instance, struct health *health);

#endif
