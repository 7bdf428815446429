// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>

#include "cli/interrupt.h"

volatile sig_atomic_t interrupt_caught;

static void interrupt_handle(int signal)
{
	(void)signal;
	interrupt_caught = 1;
}

void interrupt_catch(unsigned int flags)
{
	struct sigaction action = {.sa_handler = interrupt_handle};

	if (flags & INTERRUPT_ONCE)
		action.sa_flags = (int)SA_RESETHAND;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (flags & INTERRUPT_HANGUP)
		sigaction(SIGHUP, &action, NULL);
}
