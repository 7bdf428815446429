/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files daemon*.c share. */
#ifndef DAEMON_INTERNAL_H
#define DAEMON_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/daemon.h"
#include "observe/health.h"
#include "instance/reloads.h"
#include "observe/monitor.h"
#include "daemon/apply.h"
#include "web/web.h"

#define NEVER INT64_MAX

/* What the control loop does from time to time. */
enum job {
	JOB_BEAT,
	JOB_NEXT_HOPS,
	JOB_FOLLOW,
	JOB_SILENCE,
	JOB_HEALTH,
	JOB_HTTP,
	JOB_DASHBOARD,
	JOB_WATCHDOG,
	JOB_COUNT
};

struct daemon {
	const struct daemon_options *options;
	struct instance_daemon self;
	struct config config; /* as applied last; while it waits for interfaces, the one to apply */
	struct applied applied;
	struct monitor monitor;
	struct web web;
	struct health health; /* as it was published last */
	struct health_watch health_watch;
	int beat_err;           /* of the last heartbeat */
	int64_t end_at;         /* CLOCK_MONOTONIC, ms; NEVER: at a signal */
	int64_t due[JOB_COUNT]; /* likewise */
	int64_t watchdog_every; /* ms */
	bool following;         /* next hops: not to be begun anew from within */
	struct netlink *rules;  /* silence_open_events(); NULL: rules are looked at now and then */
	uint64_t passed;        /* packets passed to the kernel, as last read */
	int64_t passed_at;      /* CLOCK_MONOTONIC, ms: when that was last seen to grow */
	bool rules_changed;     /* somebody's rules of nftables */
	bool linger;
	bool drained;                    /* while the instance was pinned last */
	struct instance_reloads reloads; /* as written down last */
};

/* Does what is due now; returns false at the end of the duration. */
bool daemon_run_jobs(struct daemon *daemon);
/* Is a signal pending that ends this process? Then it gives up what it is doing. */
bool daemon_is_to_end(void);
/* Pings the watchdog of the service manager, if that is due. */
void daemon_keep_watchdog(struct daemon *daemon);
/* How long nothing is due, in ms. */
int daemon_idle_time(const struct daemon *daemon);
/* The jobs that no configuration starts, and the end of the duration, count from now; health is judged. */
void daemon_start_jobs(struct daemon *daemon);

/* Follows what the kernel has said of next hops since, and does what is due of them. */
void daemon_follow_next_hops(struct daemon *daemon);

/* Has the kernel look for the neighbours that packets without a rule want. */
void daemon_ask_neighbours(struct daemon *daemon);

/* Applies the configuration to the datapath; 0, or -errno and nothing has changed. */
int daemon_apply_datapath(struct daemon *daemon, struct config *config, struct error *error);
/* Is this the error of a start that --wait has wait for its interfaces? */
bool daemon_may_wait(const struct daemon *daemon, int err);
/* Begins to wait; `why` says for what. */
void daemon_begin_waiting(struct daemon *daemon, const struct error *why);
/* Attaches if the interfaces have come; returns when to try again. */
int64_t daemon_try_to_attach(struct daemon *daemon, int64_t now);

/* Serves HTTP where daemon->config wants it. If that fails, daemon_serve_again() tries again. */
void daemon_serve(struct daemon *daemon);
/* Tries again if HTTP is not served; returns when to call it next. */
int64_t daemon_serve_again(struct daemon *daemon, int64_t now);

/* Writes down daemon->reloads for other commands. */
void daemon_note_reloads(const struct daemon *daemon);
/* Notes why the configuration cannot be applied now, a reason of health; empty: it is applied. */
void daemon_note_trouble(struct daemon *daemon, const char *why);

/* Tells the service manager how it is; `state` is empty, or its lines end with newlines. */
void daemon_notify_status(const struct daemon *daemon, const char *state);

#endif
