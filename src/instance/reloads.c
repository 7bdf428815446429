// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fnv.h"
#include "instance/internal.h"
#include "instance/reloads.h"

/* What that file holds, always at its full size. */
struct reloads_record {
	uint32_t layout; /* RECORD_LAYOUT */
	struct instance_reloads reloads;
	uint32_t check; /* of all before it: who reads while it is written sees that by this */
};

#define RECORD_LAYOUT 2 /* another one for each change of the above */

#define RECORD_TRIES 20 /* of a reader, 1 ms apart, until it is whole */

static uint32_t record_check(const struct reloads_record *record)
{
	return fnv1a(record, offsetof(struct reloads_record, check));
}

int instance_write_reloads(const char *name, const struct instance_reloads *reloads)
{
	char path[INSTANCE_PATH_SIZE];
	_cleanup_close_ int fd = open(instance_run_path(path, name, INSTANCE_RELOADS),
				      O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct reloads_record record;
	ssize_t written;

	if (fd < 0)
		return -errno;
	memset(&record, 0, sizeof(record));
	record.layout = RECORD_LAYOUT;
	memcpy(&record.reloads, reloads, sizeof(*reloads));
	record.check = record_check(&record);
	/* over what is there: that takes no space, of which there may be none left */
	written = pwrite(fd, &record, sizeof(record), 0);
	if (written < 0)
		return -errno;
	return written == (ssize_t)sizeof(record) ? 0 : -ENOSPC;
}

int instance_read_reloads(const char *name, struct instance_reloads *reloads)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	char path[INSTANCE_PATH_SIZE];
	_cleanup_close_ int fd =
		open(instance_run_path(path, name, INSTANCE_RELOADS), O_RDONLY | O_CLOEXEC);
	struct reloads_record record;

	if (fd < 0)
		return -errno;
	for (int tries = 0; tries < RECORD_TRIES; tries++) {
		if (pread(fd, &record, sizeof(record), 0) == (ssize_t)sizeof(record) &&
		    record.layout == RECORD_LAYOUT && record.check == record_check(&record)) {
			memcpy(reloads, &record.reloads, sizeof(*reloads));
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return -EBADMSG;
}
