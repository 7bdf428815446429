/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which process is an instance's daemon, as this process sees it, and signals to that one alone. A
 * process id means something in its own PID namespace only: in a container the daemon may be process 1.
 */
#ifndef INSTANCE_DAEMON_H
#define INSTANCE_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum instance_daemon_place {
	DAEMON_NOWHERE, /* none runs, or none that can be asked for anything yet */
	DAEMON_HERE,    /* in the PID namespace of this process */
	DAEMON_FOREIGN, /* in another one */
};

struct instance_daemon {
	enum instance_daemon_place place;
	bool apart; /* the lock of its pins tells of it alone: its /run is not this one */
	pid_t pid;  /* in its own PID namespace; 0: not known */
	uint64_t pid_namespace; /* its inode number; 0: not known */
	pid_t seen_as;          /* its process id here; 0: it cannot be seen from here */
};

/* This process, as the daemon that it is. */
struct instance_daemon instance_this_daemon(void);

/* Who holds the instance's locks: the one in INSTANCE_RUN, or else that of its pins. */
void instance_see_daemon(const char *name, struct instance_daemon *daemon);
/* For a caller that needs one: 0; -ESRCH: none runs; -EACCES: it takes root to see. */
int instance_find_daemon(const char *name, struct instance_daemon *daemon, struct error *error);

/* "process 7", or how else to tell of it. Returns `text`, which holds DAEMON_TEXT_SIZE bytes. */
#define DAEMON_TEXT_SIZE 160
const char *instance_daemon_text(const struct instance_daemon *daemon, char *text);

/*
 * A pidfd of the instance's daemon, which means that process for good, also when its id is another's
 * by then. Fails as instance_find_daemon() does; -EXDEV: the daemon is not DAEMON_HERE, and *error says
 * where `command`, a subcommand, has to be run instead; else -errno.
 */
int instance_open_daemon(const char *name, const char *command, struct instance_daemon *daemon,
			 struct error *error);
/* 0 or -errno; -ESRCH: it has ended. */
int instance_signal_daemon(int pidfd, int signal);
/* Has it ended, or does it within so many ms? */
bool instance_daemon_ends(int pidfd, int patience_ms);

#endif
