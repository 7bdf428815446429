// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instance/drained.h"
#include "instance/pins.h"

#define DRAINED "drained" /* a directory, which is all that a BPF file system takes beside pins */

int instance_set_drained(const char *name, bool drained, struct error *error)
{
	char path[INSTANCE_PATH_SIZE];
	int result;

	if (access(instance_pin_path(path, name, NULL), F_OK) < 0)
		return errno == ENOENT
			       ? instance_not_attached(name, error)
			       : error_set(error, -errno,
					   "not permitted to read the state of instance %s; run as "
					   "root",
					   name);
	instance_pin_path(path, name, DRAINED);
	result = drained ? mkdir(path, 0700) : rmdir(path);
	if (result == 0 || errno == (drained ? EEXIST : ENOENT))
		return 0;
	return error_set(error, -errno, "cannot %s %s: %s%s", drained ? "create" : "remove", path,
			 strerror(errno), errno == EACCES || errno == EPERM ? "; run as root" : "");
}

bool instance_is_drained(const char *name)
{
	char path[INSTANCE_PATH_SIZE];

	return access(instance_pin_path(path, name, DRAINED), F_OK) == 0;
}
