/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures: pcap and pcapng in, pcap out. capture.c is the only file that knows libpcap. */
#ifndef EXPLAIN_CAPTURE_H
#define EXPLAIN_CAPTURE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"

struct capture; /* a capture being read */

struct capture_packet {
	struct timespec time;
	size_t length;        /* on the wire */
	size_t captured;      /* what the capture kept, never more than it says in `length` */
	const uint8_t *bytes; /* valid until the next packet is read */
};

/*
 * "-" is standard input. Fails for what is no capture, and for link types other than Ethernet, with
 * the command that converts it where there is one.
 */
int capture_open(struct capture **capture, const char *path, struct error *error);
/*
 * 1: a packet; 0: the end; -EIO: nothing more can be read, as the capture is cut off or damaged here
 * or goes on with what libpcap does not read. What came before is whole.
 */
int capture_next(struct capture *capture, struct capture_packet *packet, struct error *error);
void capture_close(struct capture *capture); /* NULL is allowed */

struct capture_writer;

/*
 * Starts a capture that will be at `path` once it is committed and not before; "-" is standard
 * output. Nanoseconds, unless `like` is known to have microseconds. Refuses to replace `like`.
 */
int capture_create(struct capture_writer **writer, const char *path, const struct capture *like,
		   struct error *error);
void capture_write(struct capture_writer *writer, const struct timespec *time, const void *frame,
		   size_t length);
/* Puts the file in its place, or leaves no trace of it when something could not be written. */
int capture_commit(struct capture_writer *writer, struct error *error);
void capture_discard(struct capture_writer *writer); /* NULL is allowed */

#endif
