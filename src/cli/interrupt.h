/* SPDX-License-Identifier: GPL-2.0-only */
/* Ctrl-C and the like let a command finish its work instead of killing it. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <signal.h>

enum interrupt_flags {
	INTERRUPT_HANGUP = 1 << 0, /* SIGHUP, too */
	INTERRUPT_ONCE = 1 << 1,   /* the second of a signal kills */
};

extern volatile sig_atomic_t interrupt_caught; /* becomes 1 */

/* Catches SIGINT and SIGTERM from now on. They interrupt system calls (EINTR). */
void interrupt_catch(unsigned int flags);

#endif
