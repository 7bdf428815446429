/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host settings that help a configuration: planned from what is known of the host (host.h), set
 * after the old values are recorded, and put back exactly.
 */
#ifndef TUNE_TUNE_H
#define TUNE_TUNE_H

#include "config/config.h"
#include "host/host.h"

#define TUNE_STATE "/var/lib/vxlan-pipeline"

/* The directory of the CPUs' settings, which are of kind TUNE_FILE. */
#define TUNE_CPUS "/sys/devices/system/cpu/"

enum tune_kind {
	TUNE_MTU, /* like all but the last a setting of the interface `object` */
	TUNE_CHANNELS,
	TUNE_RX_RING,
	TUNE_ADAPTIVE_RX,
	TUNE_RX_USECS,
	TUNE_FILE, /* a number in a file of /proc/sys or /sys; `object` may be a pattern */
	TUNE_KINDS
};

#define TUNE_OBJECT_SIZE  160
#define TUNE_SKIPPED_SIZE 200

/* Does changing such a value interrupt the interface for a moment? */
bool tune_interrupts(enum tune_kind kind);

/* A value to be changed. */
struct tune_setting {
	enum tune_kind kind;
	char object[TUNE_OBJECT_SIZE];
	int64_t before;
	int64_t after;
	char why[160];
	char skipped[TUNE_SKIPPED_SIZE]; /* why it is left alone after all; empty: it is changed */
};

#define TUNE_MAX_SETTINGS 64

struct tune_plan {
	struct tune_setting list[TUNE_MAX_SETTINGS];
	size_t count;
};

/* Plans the changes that help, in the order in which to make them. Pure. */
void tune_plan(const struct host *host, const struct config *config, const char *instance,
	       struct tune_plan *plan);

/* "ens5 mtu", "net/ipv4/conf/all/rp_filter"; returns `name`. */
#define TUNE_NAME_SIZE (TUNE_OBJECT_SIZE + 16)
const char *tune_name(enum tune_kind kind, const char *object, char *name);

enum tune_outcome {
	TUNE_PLANNED,
	TUNE_CHANGED,
	TUNE_UNCHANGED, /* it had that value already */
	TUNE_SKIPPED,
	TUNE_FAILED,
};

/* What became of one value. */
struct tune_result {
	enum tune_kind kind;
	char object[TUNE_OBJECT_SIZE];
	int64_t before;
	int64_t after;
	enum tune_outcome outcome;
	bool interrupts; /* the change interrupts the interface, or was skipped because it would */
	char note[256];  /* why it was changed, skipped or failed, and perhaps a remark */
};

struct tune_results {
	struct tune_result *list;
	size_t count;
};

/*
 * Records the old values in TUNE_STATE/INSTANCE, then carries the plan out. A change that fails
 * does not stop the others. 0: *results has them all, failures included; -errno: nothing was
 * changed.
 */
int tune_apply(const struct tune_plan *plan, const char *instance, struct tune_results *results,
	       struct error *error);
/* Predicts the results of tune_apply() without changing anything. 0 or -ENOMEM. */
int tune_preview(const struct tune_plan *plan, struct tune_results *results, struct error *error);

/*
 * Puts the recorded values back, the last change first, and removes them from the record. Values
 * that cannot be put back, or whose change would interrupt a running program, stay in the record.
 * 0, also without a record; -errno: nothing was changed.
 */
int tune_revert(const char *instance, struct tune_results *results, struct error *error);

void tune_results_clear(struct tune_results *results);

#endif
