/* SPDX-License-Identifier: GPL-2.0-only */
/* The screen that `monitor` shows on a terminal, as text with ANSI's control sequences. Pure. */
#ifndef OBSERVE_SCREEN_H
#define OBSERVE_SCREEN_H

#include "observe/look.h"
#include "observe/monitor.h"

#define SCREEN_HISTORY 5   /* lines of rates that stay */
#define SCREEN_LINE    256 /* bytes of a line at most; a wider terminal has blanks behind it */

struct screen {
	const char *instance;
	bool color;
	const struct look *now;    /* NULL: nothing is attached */
	const struct look *before; /* NULL: this is the first one of it */
	double seconds;            /* between the two */
	struct screen_rates {
		char text[96]; /* as monitor_print_line() has it, without colours */
		const char *color;
	} history[SCREEN_HISTORY]; /* the latest one first; text empty: none */
};

/* Puts a line of rates at the head of the history. */
void screen_note_rates(struct screen *screen, const struct monitor *monitor,
		       const struct monitor_rates *rates);

/*
 * Writes the whole screen, from its first column on, over the one before. No line is longer than `width`,
 * there are at most `height`, and nothing in them is a control character, whatever the names of interfaces
 * hold.
 */
void screen_print(const struct screen *screen, unsigned int width, unsigned int height,
		  FILE *stream);

#endif
