/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `explain` cannot read: the words for it, and the command that makes a capture of it which can
 * be read. Pure: knows formats by their bytes, and libpcap's reasons by their words.
 */
#ifndef EXPLAIN_UNREADABLE_H
#define EXPLAIN_UNREADABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The most bytes that a format is known by. */
#define UNREADABLE_HEAD 16

#define UNREADABLE_STANDARD_INPUT "-"

/* How messages call the capture. */
const char *unreadable_name(const char *path);

/* libpcap did not open what begins with `head`, for `reason`. Returns -EINVAL. */
int unreadable_format(const char *path, const uint8_t *head, size_t length, const char *reason,
		      struct error *error);

/* The link type, by libpcap's number (DLT_x) and names, is not Ethernet. Returns -EPROTOTYPE. */
int unreadable_link_type(const char *path, int type, const char *name, const char *description,
			 struct error *error);

/* Does libpcap's reason mean that a pcapng has interfaces of several link types? */
bool unreadable_is_mixed(const char *reason);

/* Packet `number`, from 1, cannot be read, and none behind it, for libpcap's reason. Returns -EIO. */
int unreadable_packet(const char *path, uint64_t number, const char *reason, struct error *error);

#endif
