/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of host/ share. */
#ifndef HOST_INTERNAL_H
#define HOST_INTERNAL_H

#include "host/host.h"

/* Kernel, capabilities, file systems and settings of the whole host. */
void host_read_system(struct host *host);

/* Can the HTTP address be served, do routes lead to the rules' targets, which VNIs arrive? */
void host_read_reach(struct host *host, const struct config *config, const char *instance);

/* Why the drivers last refused XDP programs. */
void host_read_log(struct host *host);

/* Is this host on EC2, and what do its metadata say of it and of its interfaces? */
void host_read_metadata(struct host *host);

/* The first line of a file, without its end; false: it cannot be read, and `text` is empty. */
bool host_read_line(const char *path, char *text, size_t size);
/* The number that a file begins with, or HOST_UNKNOWN. */
int64_t host_read_number(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Does the line of the kernel's log name this interface, and not one whose name contains it? */
bool host_log_names(const char *line, const char *interface);

#endif
