// SPDX-License-Identifier: GPL-2.0-only
/* The directory below the BPF file system that an instance's state is pinned in. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instance/bpffs.h"
#include "instance/daemon.h"
#include "instance/internal.h"
#include "instance/pins.h"
#include "instance/pins_lock.h"
#include "instance/reloads.h"

int instance_make_pins(const char *name, struct error *error)
{
	int err = instance_mount_bpffs(error);

	return err ? err : instance_lock_pins(name, error);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

int instance_remove_tree(const char *path)
{
	int result;

	if (access(path, F_OK) < 0)
		return -errno;
	result = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return result < 0 ? -errno : -result;
}

int instance_remove_pins(const char *name, struct error *error)
{
	char path[INSTANCE_PATH_SIZE];
	int err = instance_remove_tree(instance_pin_path(path, name, NULL));

	rmdir(INSTANCE_PINS); /* fails while other instances have state */
	if (err)
		return error_set(error, err, "cannot remove %s: %s%s", path, strerror(-err),
				 err == -EACCES || err == -EPERM ? "; run as root" : "");
	return 0;
}

bool instance_has_pins(const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	DIR *directory = opendir(instance_pin_path(path, name, NULL));
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory)))
		found = *entry->d_name != '.';
	if (directory)
		closedir(directory);
	return found;
}

void instance_each(void (*visit)(const char *name, void *data), void *data)
{
	DIR *directory = opendir(INSTANCE_PINS);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (instance_name_valid(entry->d_name) && instance_has_pins(entry->d_name))
			visit(entry->d_name, data);
	}
	if (directory)
		closedir(directory);
}

/* As many as there is room for. */
struct name_list {
	char text[128];
	size_t count;
};

static void list_name(const char *name, void *data)
{
	struct name_list *list = data;
	size_t used = strlen(list->text);

	if (used + strlen(name) + sizeof(", ") > sizeof(list->text))
		return;
	snprintf(list->text + used, sizeof(list->text) - used, "%s%s", list->count++ ? ", " : "",
		 name);
}

int instance_not_attached(const char *name, struct error *error)
{
	char unit[INSTANCE_UNIT_SIZE], text[DAEMON_TEXT_SIZE];
	struct name_list attached = {0};
	struct instance_reloads reloads;
	struct instance_daemon daemon;

	instance_see_daemon(name, &daemon);
	if (daemon.place != DAEMON_NOWHERE && !instance_read_reloads(name, &reloads) &&
	    *reloads.trouble)
		return error_set(error, -ENOENT, "instance %s is not attached yet: %s", name,
				 reloads.trouble);
	if (daemon.place == DAEMON_FOREIGN)
		return error_set(
			error, -ENOENT,
			"the pins of instance %s are not in the BPF file system of this mount "
			"namespace; its daemon, %s, sees them: ask there",
			name, instance_daemon_text(&daemon, text));
	if (daemon.place == DAEMON_HERE && !instance_has_bpffs())
		return error_set(error, -ENOENT,
				 "the pinned state of instance %s is gone, as " INSTANCE_BPFFS
				 " was unmounted; mount -t bpf bpf " INSTANCE_BPFFS
				 ", and its daemon, %s, pins it again",
				 name, instance_daemon_text(&daemon, text));
	instance_each(list_name, &attached);
	return error_set(error, -ENOENT,
			 "instance %s is not attached%s%s%s; to start it: systemctl start %s, or "
			 "vxlan-pipeline run --instance %s",
			 name, attached.count ? " (attached: " : "", attached.text,
			 attached.count ? ")" : "", instance_unit(unit, name), name);
}
