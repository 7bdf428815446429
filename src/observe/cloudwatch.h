/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The input of `aws cloudwatch put-metric-data`. CloudWatch adds up what it is sent, so counters are sent as
 * what was added since the last time that it took them: a file says what they were then. It is written anew
 * only once CloudWatch has taken the figures, by whoever sends them: what is not taken is sent later.
 */
#ifndef OBSERVE_CLOUDWATCH_H
#define OBSERVE_CLOUDWATCH_H

#include <jansson.h>

#include "base/error.h"
#include "observe/metrics.h"

#define CLOUDWATCH_NAMESPACE "VxlanPipeline"
#define CLOUDWATCH_STATE     "/var/lib/vxlan-pipeline"
#define CLOUDWATCH_FILE      "cloudwatch.json" /* below CLOUDWATCH_STATE/INSTANCE */
#define CLOUDWATCH_LAYOUT    1 /* another one for each change of what the file means */

/* What is sent twice, under each of these; NULL: not under it. With neither it has no dimension. */
struct cloudwatch_dimensions {
	const char *group;    /* AutoScalingGroupName */
	const char *instance; /* InstanceId */
};

/* What the counters are now, as the file has it. NULL: no memory. */
json_t *cloudwatch_state(const struct metrics *metrics);

/*
 * Reads the file. 0 and NULL: there is none, or it is not one that this version wrote. -errno: it cannot be
 * read.
 */
int cloudwatch_load(const char *path, json_t **state, struct error *error);
/* Writes it so that it is there whole or not at all. 0 or -errno. */
int cloudwatch_save(const char *path, const json_t *state, struct error *error);

/* `sent`: what the counters were when they were sent last; NULL: never, and they are left out. */
json_t *cloudwatch_document(const struct metrics *metrics, const json_t *now, const json_t *sent,
			    const struct cloudwatch_dimensions *dimensions);

#endif
