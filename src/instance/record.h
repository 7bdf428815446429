/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon tells other processes in files of a fixed size below INSTANCE_RUN/NAME. */
#ifndef INSTANCE_RECORD_H
#define INSTANCE_RECORD_H

#include <stddef.h>
#include <stdint.h>

/*
 * For the process that holds the instance's lock; 0 or -errno. `layout` changes with what the data
 * mean. The file is written over, not anew: that takes no space, of which there may be none left.
 */
int instance_write_record(const char *name, const char *file, uint32_t layout, const void *data,
			  size_t size);
/* 0; -ENOENT: no daemon wrote any; -EBADMSG: one of another version did; else -errno. */
int instance_read_record(const char *name, const char *file, uint32_t layout, void *data,
			 size_t size);

#endif
