/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds an instance's daemon, and signals no other process. A process id is valid in its own PID
 * namespace only: in a container the daemon may be process 1.
 */
#ifndef INSTANCE_DAEMON_H
#define INSTANCE_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum instance_daemon_place {
	DAEMON_NOWHERE, /* no daemon runs, or the one that starts has not said who it is */
	DAEMON_HERE,    /* in the PID namespace of this process */
	DAEMON_FOREIGN, /* in another one */
};

struct instance_daemon {
	enum instance_daemon_place place;
	bool apart;             /* its /run is another one: only its lock of the pins was found */
	pid_t pid;              /* in its own PID namespace; 0: not known */
	uint64_t pid_namespace; /* its inode number; 0: not known */
	pid_t seen_as;          /* in the PID namespace of this process; 0: not visible here */
};

/* Describes this process, which is a daemon. */
struct instance_daemon instance_this_daemon(void);

/* Finds who holds the instance's lock in INSTANCE_RUN, or, if nobody does, the lock of its pins. */
void instance_see_daemon(const char *name, struct instance_daemon *daemon);
/*
 * The same for a caller that needs a daemon: 0; -ESRCH: none runs; -EACCES: only root may see it.
 */
int instance_find_daemon(const char *name, struct instance_daemon *daemon, struct error *error);

/*
 * Writes "process 7", or what is known instead. Returns `text`, which holds DAEMON_TEXT_SIZE
 * bytes.
 */
#define DAEMON_TEXT_SIZE 160
const char *instance_daemon_text(const struct instance_daemon *daemon, char *text);

/*
 * Returns a pidfd of the instance's daemon. It never means another process, even if the process id
 * is used again. Fails as instance_find_daemon() does; -EXDEV: the daemon is not DAEMON_HERE, and
 * *error says where to run the subcommand `command` instead; else -errno.
 */
int instance_open_daemon(const char *name, const char *command, struct instance_daemon *daemon,
			 struct error *error);
/* 0 or -errno; -ESRCH: it has ended. */
int instance_signal_daemon(int pidfd, int signal);
/* Has it ended, or does it within so many ms? */
bool instance_daemon_ends(int pidfd, int patience_ms);

#endif
