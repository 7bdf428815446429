// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "instance/internal.h"

/* An instance whose pins are below another root directory than this process's. */
static struct {
	char name[INSTANCE_NAME_MAX + 1]; /* empty: there is none */
	char root[32];
} elsewhere;

bool instance_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > INSTANCE_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("-_", name[i]))
			return false;
	}
	return true;
}

const char *instance_pin_path(char *path, const char *name, const char *below)
{
	snprintf(path, INSTANCE_PATH_SIZE, "%s" INSTANCE_PINS "/%s%s%s",
		 strcmp(name, elsewhere.name) == 0 ? elsewhere.root : "", name, below ? "/" : "",
		 below ? below : "");
	return path;
}

void instance_set_root(const char *name, int fd)
{
	*elsewhere.name = '\0';
	if (fd < 0)
		return;
	snprintf(elsewhere.name, sizeof(elsewhere.name), "%s", name);
	snprintf(elsewhere.root, sizeof(elsewhere.root), "/proc/self/fd/%d", fd);
}

const char *instance_unit(char *text, const char *name)
{
	bool is_default = strcmp(name, INSTANCE_DEFAULT) == 0;

	snprintf(text, INSTANCE_UNIT_SIZE, "vxlan-pipeline%s%s", is_default ? "" : "@",
		 is_default ? "" : name);
	return text;
}

const char *instance_run_path(char *path, const char *name, const char *below)
{
	snprintf(path, INSTANCE_PATH_SIZE, "%s/%s%s%s", INSTANCE_RUN, name, below ? "/" : "",
		 below ? below : "");
	return path;
}

bool instance_is_file(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

static int instance_make_directory(const char *path, mode_t mode, struct error *error)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	return error_set(error, -errno, "cannot create %s: %s%s", path, strerror(errno),
			 errno == EACCES || errno == EPERM ? "; run as root" : "");
}

#define TRIES 10 /* of what another process, as an instance that ends, may undo in between */

int instance_make_directories(const char *above, const char *path, mode_t mode, struct error *error)
{
	int err = -ENOENT;

	for (int tries = 0; err == -ENOENT && tries < TRIES; tries++) {
		err = instance_make_directory(above, mode, error);
		if (!err)
			err = instance_make_directory(path, mode, error);
	}
	return err;
}
