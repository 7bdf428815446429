// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/cleanup.h"
#include "base/container.h"
#include "instance/bpffs.h"
#include "instance/daemon.h"
#include "instance/internal.h"

static bool mounted_here; /* by this process */

bool instance_has_bpffs(void)
{
	struct statfs fs;

	return statfs(INSTANCE_BPFFS, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

int instance_mount_bpffs(struct error *error)
{
	if (instance_has_bpffs())
		return 0;
	if (mount("bpf", INSTANCE_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ==
	    0) {
		mounted_here = true;
		return 0;
	}
	if (container_is_here())
		return error_set(error, -errno,
				 "no BPF file system at %s, and a container may not mount one: %s; "
				 "give it the host's: --volume %s:%s",
				 INSTANCE_BPFFS, strerror(errno), INSTANCE_BPFFS, INSTANCE_BPFFS);
	return error_set(error, -errno,
			 "no BPF file system at %s and mounting it failed: %s; as root: "
			 "mount -t bpf bpf %s",
			 INSTANCE_BPFFS, strerror(errno), INSTANCE_BPFFS);
}

/* Process 1 ends last. If its mounts cannot be read (hidepid), no harm is known: true. */
static bool process_1_has(dev_t device)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/1/mountinfo", "re");
	char line[1024];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned int major, minor;

		if (sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 &&
		    makedev(major, minor) == device)
			return true;
	}
	return !file;
}

const char *instance_bpffs_doubt(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	struct stat status;

	if (stat(instance_pin_path(path, name, NULL), &status) < 0 &&
	    stat(INSTANCE_BPFFS, &status) < 0)
		return NULL;
	if (!process_1_has(status.st_dev))
		return "only the daemon's mount namespace has the BPF file system "
		       "at " INSTANCE_BPFFS ", as with `ip netns exec`: if the daemon is killed, "
		       "forwarding ends; to have "
		       "the host's: nsenter --net=/run/netns/NAME vxlan-pipeline run";
	if (mounted_here && container_is_here())
		return "the BPF file system at " INSTANCE_BPFFS
		       " is this container's own: when it ends, forwarding ends; to have the "
		       "host's: "
		       "--volume " INSTANCE_BPFFS ":" INSTANCE_BPFFS;
	return NULL;
}

/* Opens the daemon's root directory, which leads to its mounts: a descriptor, or -1. */
static int open_root_of(const char *name, const struct instance_daemon *daemon)
{
	struct instance_daemon now;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)daemon->pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* if the daemon still has that process id, it is its directory */
	instance_see_daemon(name, &now);
	if (fd >= 0 && (now.place != DAEMON_HERE || now.pid != daemon->pid)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool instance_follow_daemon(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	struct instance_daemon daemon;
	struct statfs fs;
	int root;

	if (access(instance_pin_path(path, name, NULL), F_OK) == 0 || errno != ENOENT)
		return false;
	instance_see_daemon(name, &daemon);
	root = daemon.place == DAEMON_HERE ? open_root_of(name, &daemon) : -1;
	if (root < 0)
		return false;
	instance_set_root(name, root);
	if (statfs(instance_pin_path(path, name, NULL), &fs) == 0 && fs.f_type == BPF_FS_MAGIC)
		return true;
	instance_set_root(name, -1);
	close(root);
	return false;
}
