// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fnv.h"
#include "instance/internal.h"
#include "instance/record.h"

/*
 * A file holds the layout, the data, and a check of both: who reads while it is written sees by the
 * check that it is not whole.
 */
#define LAYOUT_SIZE sizeof(uint32_t)
#define CHECK_SIZE  sizeof(uint32_t)

#define READ_TRIES 20 /* 1 ms apart, until the file is whole */

int instance_write_record(const char *name, const char *file, uint32_t layout, const void *data,
			  size_t size)
{
	char path[INSTANCE_PATH_SIZE];
	_cleanup_close_ int fd =
		open(instance_run_path(path, name, file), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_free_ uint8_t *record = malloc(LAYOUT_SIZE + size + CHECK_SIZE);
	uint32_t check;
	ssize_t written;

	if (fd < 0)
		return -errno;
	if (!record)
		return -ENOMEM;
	memcpy(record, &layout, LAYOUT_SIZE);
	memcpy(record + LAYOUT_SIZE, data, size);
	check = fnv1a(record, LAYOUT_SIZE + size);
	memcpy(record + LAYOUT_SIZE + size, &check, CHECK_SIZE);
	written = pwrite(fd, record, LAYOUT_SIZE + size + CHECK_SIZE, 0);
	if (written < 0)
		return -errno;
	return written == (ssize_t)(LAYOUT_SIZE + size + CHECK_SIZE) ? 0 : -ENOSPC;
}

static bool record_is_whole(const uint8_t *record, uint32_t layout, size_t size)
{
	uint32_t check = fnv1a(record, LAYOUT_SIZE + size);

	return memcmp(record, &layout, LAYOUT_SIZE) == 0 &&
	       memcmp(record + LAYOUT_SIZE + size, &check, CHECK_SIZE) == 0;
}

int instance_read_record(const char *name, const char *file, uint32_t layout, void *data,
			 size_t size)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	char path[INSTANCE_PATH_SIZE];
	_cleanup_close_ int fd = open(instance_run_path(path, name, file), O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *record = malloc(LAYOUT_SIZE + size + CHECK_SIZE);

	if (fd < 0)
		return -errno;
	if (!record)
		return -ENOMEM;
	for (int tries = 0; tries < READ_TRIES; tries++) {
		if (pread(fd, record, LAYOUT_SIZE + size + CHECK_SIZE, 0) ==
			    (ssize_t)(LAYOUT_SIZE + size + CHECK_SIZE) &&
		    record_is_whole(record, layout, size)) {
			memcpy(data, record + LAYOUT_SIZE, size);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return -EBADMSG;
}
