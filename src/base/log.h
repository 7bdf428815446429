/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's log: one line a message on stderr, with the journal's priority prefix under systemd. If
 * nobody reads stderr, the log drops lines instead of blocking, and says later how many.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level); /* the least urgent level to write; info at first */

/* Writes '?' for control characters. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes lines without prefix; `lines` holds their newlines. */
void log_text(const char *lines);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
