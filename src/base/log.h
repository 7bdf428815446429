/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's log: a line each on stderr, with the journal's priority prefix below systemd. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "config/config.h"

void log_set_level(enum log_level level); /* of what is still written; info to begin with */

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
