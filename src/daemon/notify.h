/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages to the service manager: sd_notify(3) without blocking. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Sends lines as in sd_notify(3). The message is lost if the service manager reads none. */
void notify_manager(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
