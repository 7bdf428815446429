/* SPDX-License-Identifier: GPL-2.0-only */
/* `monitor` on a terminal. */
#ifndef CLI_MONITOR_SCREEN_H
#define CLI_MONITOR_SCREEN_H

#include <stdbool.h>

#include "cli/command.h"

/* Shows the instance, anew every `interval` seconds, until a signal or a key ends it. */
enum command_status monitor_screen(const char *instance, unsigned int interval, bool color);

#endif
