/* SPDX-License-Identifier: GPL-2.0-only */
/* What the service manager is told: sd_notify(3), but for the waiting. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Lines as in sd_notify(3). Lost where the service manager takes nothing. */
void notify_manager(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
