/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host settings that help a configuration: planned from what is known of the host (host.h), put in
 * force with the old values written down first, and put back exactly.
 */
#ifndef TUNE_TUNE_H
#define TUNE_TUNE_H

#include "config/config.h"
#include "host/host.h"

#define TUNE_STATE "/var/lib/vxlan-pipeline"

/* Below it are the CPUs' settings, which are of kind TUNE_FILE. */
#define TUNE_CPUS "/sys/devices/system/cpu/"

enum tune_kind {
	TUNE_MTU, /* of interface `object`, as all but the last */
	TUNE_CHANNELS,
	TUNE_RX_RING,
	TUNE_ADAPTIVE_RX,
	TUNE_RX_USECS,
	TUNE_FILE, /* a number in a file of /proc/sys or /sys; `object` may be a pattern of several */
	TUNE_KINDS
};

#define TUNE_OBJECT_SIZE  160
#define TUNE_SKIPPED_SIZE 200

/* Does a change of such a value interrupt the interface for a moment? */
bool tune_interrupts(enum tune_kind kind);

/* A value to be changed. */
struct tune_setting {
	enum tune_kind kind;
	char object[TUNE_OBJECT_SIZE];
	int64_t before;
	int64_t after;
	char why[160];
	char skipped[TUNE_SKIPPED_SIZE]; /* why it is not to be changed after all; empty: it is */
};

#define TUNE_MAX_SETTINGS 64

struct tune_plan {
	struct tune_setting list[TUNE_MAX_SETTINGS];
	size_t count;
};

/* What would help, in the order in which it is to be done. Pure. */
void tune_plan(const struct host *host, const struct config *config, const char *instance,
	       struct tune_plan *plan);

/* "ens5 mtu", "net/ipv4/conf/all/rp_filter"; returns `name`. */
#define TUNE_NAME_SIZE (TUNE_OBJECT_SIZE + 16)
const char *tune_name(enum tune_kind kind, const char *object, char *name);

enum tune_outcome {
	TUNE_PLANNED,
	TUNE_CHANGED,
	TUNE_UNCHANGED, /* it was that already */
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
	bool interrupts; /* the change does, if it was or is to be made; it is why one was skipped */
	char note[256];  /* why it was changed, skipped or failed, and what else is to be known */
};

struct tune_results {
	struct tune_result *list;
	size_t count;
};

/*
 * Carries the plan out: whatever is to change is written down first, in TUNE_STATE/INSTANCE. What
 * fails does not keep the rest from being done. 0: *results has it all, failures included; -errno:
 * nothing was changed.
 */
int tune_apply(const struct tune_plan *plan, const char *instance, struct tune_results *results,
	       struct error *error);
/* The same as far as it can be told beforehand. 0 or -ENOMEM. */
int tune_preview(const struct tune_plan *plan, struct tune_results *results, struct error *error);

/*
 * Puts back what is written down, the last change first, and forgets it; what cannot be put back, or
 * would interrupt a program that runs, stays written down. 0, also when there is nothing; -errno:
 * nothing was changed.
 */
int tune_revert(const char *instance, struct tune_results *results, struct error *error);

void tune_results_clear(struct tune_results *results);

#endif
