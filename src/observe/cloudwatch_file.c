// SPDX-License-Identifier: GPL-2.0-only
/* The file that says what the counters were when CloudWatch took them last. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "observe/cloudwatch.h"

int cloudwatch_load(const char *path, json_t **state, struct error *error)
{
	_cleanup_fclose_ FILE *stream = fopen(path, "re");

	*state = NULL;
	if (!stream && errno == ENOENT)
		return 0;
	if (!stream)
		return error_set(error, -errno, "cannot read %s: %s", path, strerror(errno));
	*state = json_loadf(stream, 0, NULL);
	if (json_integer_value(json_object_get(*state, "layout")) == CLOUDWATCH_LAYOUT &&
	    json_is_object(json_object_get(*state, "counters")))
		return 0;
	json_decref(*state);
	*state = NULL;
	return 0;
}

static int write_whole(int fd, const char *text)
{
	size_t length = strlen(text);

	while (length) {
		ssize_t written = write(fd, text, length);

		if (written < 0)
			return -errno;
		text += written;
		length -= (size_t)written;
	}
	return fsync(fd) ? -errno : 0;
}

int cloudwatch_save(const char *path, const json_t *state, struct error *error)
{
	_cleanup_free_ char *text = json_dumps(state, JSON_INDENT(1));
	char fresh[4096];
	int fd, err;

	if (!text || snprintf(fresh, sizeof(fresh), "%s.fresh", path) >= (int)sizeof(fresh))
		return error_set(error, -ENOMEM, "cannot write %s: no memory", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	err = fd < 0 ? -errno : write_whole(fd, text);
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	if (!err && rename(fresh, path))
		err = -errno;
	if (!err)
		return 0;
	if (fd >= 0)
		unlink(fresh);
	return error_set(error, err, "cannot write %s: %s", path, strerror(-err));
}
