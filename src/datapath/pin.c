// SPDX-License-Identifier: GPL-2.0-only
/* Pins of an instance, and the maps behind them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/internal.h"
#include "instance/instance.h"
#include "instance/pins.h"

/*
 * Pins that this process, as the daemon of `owner`, holds by descriptor as well: a BPF file system
 * that somebody unmounts must neither detach the datapath nor end its counters.
 */
static struct {
	pthread_mutex_t lock;
	char owner[INSTANCE_NAME_MAX + 1];
	size_t count;
	struct {
		char name[PIN_SIZE];
		int fd;
	} pins[64];
} held = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int open_held(const char *instance, const char *name)
{
	int fd = -ENOENT;

	pthread_mutex_lock(&held.lock);
	for (size_t i = 0; i < held.count; i++) {
		if (strcmp(held.pins[i].name, name) != 0 || strcmp(held.owner, instance) != 0)
			continue;
		fd = fcntl(held.pins[i].fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			fd = -errno;
	}
	pthread_mutex_unlock(&held.lock);
	return fd;
}

static int open_pinned(const char *instance, const char *name)
{
	char path[INSTANCE_PATH_SIZE];
	int fd = bpf_obj_get(instance_pin_path(path, instance, name));

	return fd < 0 ? -errno : fd;
}

int datapath_open_pin(const char *instance, const char *name)
{
	int fd = open_pinned(instance, name);

	return fd == -ENOENT ? open_held(instance, name) : fd;
}

bool datapath_is_pinned(const char *instance, const char *name)
{
	char path[INSTANCE_PATH_SIZE];

	return faccessat(AT_FDCWD, instance_pin_path(path, instance, name), F_OK,
			 AT_SYMLINK_NOFOLLOW) == 0;
}

static void release(void)
{
	while (held.count)
		close(held.pins[--held.count].fd);
}

void datapath_release(void)
{
	pthread_mutex_lock(&held.lock);
	release();
	pthread_mutex_unlock(&held.lock);
}

/* All pins of a directory of the instance: `below` is "" or ends with a slash. */
static void hold_pins(const char *instance, const char *below)
{
	char path[INSTANCE_PATH_SIZE];
	struct dirent *entry;
	DIR *directory = opendir(instance_pin_path(path, instance, below));

	while (directory && (entry = readdir(directory)) &&
	       held.count < sizeof(held.pins) / sizeof(held.pins[0])) {
		char *name = held.pins[held.count].name;

		if (entry->d_type != DT_REG)
			continue;
		snprintf(name, PIN_SIZE, "%s%.40s", below, entry->d_name);
		held.pins[held.count].fd = open_pinned(instance, name);
		held.count += held.pins[held.count].fd >= 0;
	}
	if (directory)
		closedir(directory);
}

void datapath_hold(const char *instance)
{
	char generation_pins[PIN_SIZE];
	uint32_t generation;

	/* what was unmounted meanwhile is held all the more */
	if (!datapath_is_pinned(instance, PIN_LINK))
		return;
	pthread_mutex_lock(&held.lock);
	release();
	snprintf(held.owner, sizeof(held.owner), "%s", instance);
	hold_pins(instance, "");
	if (datapath_current_generation(instance, &generation) == 0)
		hold_pins(instance, datapath_generation_pin(generation_pins, generation, ""));
	pthread_mutex_unlock(&held.lock);
}

const char *const datapath_shared_pins[SHARED_MAPS] = {
	"counters", "instance", "fragments", "unmatched_firsts", "heartbeat", "fragment_progress",
};

void datapath_shared_maps(const struct pipeline_bpf *skeleton, struct bpf_map **maps)
{
	maps[SHARED_COUNTERS] = skeleton->maps.counters;
	maps[1] = skeleton->maps.instance;
	maps[2] = skeleton->maps.fragments;
	maps[3] = skeleton->maps.unmatched_firsts;
	maps[4] = skeleton->maps.data_heartbeat;
	maps[5] = skeleton->maps.fragment_progress;
}

int datapath_map_fits(int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	return info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map);
}

int datapath_check_value(int fd, size_t value_size)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	return info.value_size == value_size ? 0 : -EPROTO;
}

int datapath_read_info(const char *instance, struct instance_info *info)
{
	_cleanup_close_ int fd = datapath_open_pin(instance, "instance");
	uint32_t zero = 0;
	int err = fd < 0 ? fd : datapath_check_value(fd, sizeof(*info));

	if (err)
		return err;
	return bpf_map_lookup_elem(fd, &zero, info) ? -errno : 0;
}

int datapath_map_entries(int map_fd, uint32_t *entries)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(map_fd, &info, &size))
		return -errno;
	*entries = info.max_entries;
	return 0;
}

void *datapath_map_array(int map_fd, int protection, size_t *size)
{
	struct bpf_map_info info = {0};
	uint32_t info_size = sizeof(info);
	size_t page = sysconf(_SC_PAGESIZE);

	if (bpf_obj_get_info_by_fd(map_fd, &info, &info_size))
		return MAP_FAILED;
	*size = ((size_t)info.value_size * info.max_entries + page - 1) / page * page;
	return mmap(NULL, *size, protection, MAP_SHARED, map_fd, 0);
}

int datapath_pin(const char *instance, const char *name, int fd)
{
	char path[INSTANCE_PATH_SIZE], fresh[INSTANCE_PATH_SIZE];

	instance_pin_path(path, instance, name);
	instance_pin_path(fresh, instance, PIN_FRESH);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	/* what was pinned there before goes at the same instant */
	if (rename(fresh, path) < 0) {
		int err = -errno;

		unlink(fresh);
		return err;
	}
	return 0;
}

const char *datapath_generation_pin(char *pin, uint32_t generation, const char *below)
{
	int length = snprintf(pin, PIN_SIZE, PIN_GENERATION, generation);

	if (below)
		snprintf(pin + length, PIN_SIZE - length, "/%s", below);
	return pin;
}

int datapath_open_generation_pin(const char *instance, uint32_t generation, const char *name)
{
	char pin[PIN_SIZE];

	return datapath_open_pin(instance, datapath_generation_pin(pin, generation, name));
}

/* Calls `visit` for each pinned generation. */
static void each_generation(const char *instance, void (*visit)(uint32_t generation, void *data),
			    void *data)
{
	char path[INSTANCE_PATH_SIZE];
	struct dirent *entry;
	DIR *directory = opendir(instance_pin_path(path, instance, NULL));

	while (directory && (entry = readdir(directory))) {
		uint32_t generation;

		if (sscanf(entry->d_name, PIN_GENERATION, &generation) == 1)
			visit(generation, data);
	}
	if (directory)
		closedir(directory);
}

static void keep_highest(uint32_t generation, void *data)
{
	uint32_t *highest = data;

	if (generation > *highest)
		*highest = generation;
}

uint32_t datapath_highest_generation(const char *instance)
{
	uint32_t highest = 0;

	each_generation(instance, keep_highest, &highest);
	return highest;
}

struct next_generation {
	uint32_t after;
	uint32_t found;
};

static void keep_next(uint32_t generation, void *data)
{
	struct next_generation *next = data;

	if (generation > next->after && (!next->found || generation < next->found))
		next->found = generation;
}

uint32_t datapath_generation_after(const char *instance, uint32_t generation)
{
	struct next_generation next = {.after = generation};

	each_generation(instance, keep_next, &next);
	return next.found;
}

struct program_search {
	const char *instance;
	uint32_t program_id;
	uint32_t found;
	int err; /* of a program that cannot be asked */
};

static void compare_program(uint32_t generation, void *data)
{
	struct program_search *search = data;
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	char pin[PIN_SIZE];
	_cleanup_close_ int fd =
		datapath_open_pin(search->instance,
				  datapath_generation_pin(pin, generation, PIN_PROGRAM));

	if (fd == -ENOENT) /* a reload has taken it away */
		return;
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		search->err = fd < 0 ? fd : -errno;
	else if (info.id == search->program_id)
		search->found = generation;
}

int datapath_generation_of(const char *instance, uint32_t program_id, uint32_t *generation)
{
	struct program_search search = {.instance = instance, .program_id = program_id};

	each_generation(instance, compare_program, &search);
	if (search.err && !search.found)
		return search.err;
	*generation = search.found;
	return 0;
}

struct removal {
	const char *instance;
	uint32_t keep;
};

static void remove_generation(uint32_t generation, void *data)
{
	const struct removal *removal = data;
	char path[INSTANCE_PATH_SIZE], name[PIN_SIZE];

	if (generation == removal->keep)
		return;
	datapath_generation_pin(name, generation, NULL);
	instance_remove_tree(instance_pin_path(path, removal->instance, name));
}

void datapath_keep_generation(const char *instance, uint32_t generation)
{
	struct removal removal = {.instance = instance, .keep = generation};

	each_generation(instance, remove_generation, &removal);
}

int datapath_current_generation(const char *instance, uint32_t *generation)
{
	char path[INSTANCE_PATH_SIZE], target[PIN_SIZE] = "";

	if (readlink(instance_pin_path(path, instance, PIN_CURRENT), target, sizeof(target) - 1) <
	    0)
		return -errno;
	return sscanf(target, PIN_GENERATION, generation) == 1 ? 0 : -EINVAL;
}
