/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal as a screen: standard output on its second page, without a cursor, and standard input key
 * by key. However the program ends or is stopped, short of SIGKILL and SIGSTOP, the terminal is as before.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/* Is standard output a terminal that knows ANSI's control sequences, and is this its foreground? */
bool terminal_is_screen(void);

/* Signals that end or stop the program come only within terminal_wait() from now on. */
void terminal_open(void);
void terminal_close(void);

void terminal_size(unsigned int *width, unsigned int *height);

enum terminal_event {
	TERMINAL_TIMEOUT, /* the time has come */
	TERMINAL_REDRAW,  /* another size, or the program was stopped and goes on */
	TERMINAL_END,     /* by a signal or a key, or the terminal is gone */
};

/* Waits until `until` (CLOCK_MONOTONIC, ms) or for something else to happen. */
enum terminal_event terminal_wait(int64_t until);

#endif
