// SPDX-License-Identifier: GPL-2.0-only
/* The record of changed values: TUNE_STATE/INSTANCE/tune.json */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/container.h"
#include "tune/internal.h"

#define FILE_NAME "tune.json"
#define VERSION_1 1

static int record_make_directory(const char *path, struct error *error)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	if (errno == EROFS && container_is_here())
		return error_set(error, -EROFS,
				 "tune changes settings of the host, and this container may not: "
				 "%s: %s; run tune on the host",
				 path, strerror(EROFS));
	return error_set(error, -errno, "cannot create %s: %s%s", path, strerror(errno),
			 errno == EACCES || errno == EPERM ? "; run as root" : "");
}

struct tune_entry *tune_record_find(const struct tune_record *record, enum tune_kind kind,
				    const char *object)
{
	for (size_t i = 0; i < record->count; i++) {
		if (record->list[i].kind == kind && strcmp(record->list[i].object, object) == 0)
			return &record->list[i];
	}
	return NULL;
}

int tune_record_add(struct tune_record *record, const struct tune_entry *entry)
{
	struct tune_entry *list =
		reallocarray(record->list, record->count + 1, sizeof(record->list[0]));

	if (!list)
		return -ENOMEM;
	record->list = list;
	list[record->count++] = *entry;
	return 0;
}

/* Refuses records of any file or interface that `tune` itself would not write to. */
static bool object_valid(enum tune_kind kind, const char *object)
{
	if (strlen(object) >= TUNE_OBJECT_SIZE)
		return false;
	if (kind != TUNE_FILE)
		return strlen(object) < CONFIG_INTERFACE_SIZE;
	return !strstr(object, "/../") &&
	       (strncmp(object, "/proc/sys/net/", strlen("/proc/sys/net/")) == 0 ||
		strncmp(object, "/sys/devices/system/cpu/", strlen("/sys/devices/system/cpu/")) ==
			0);
}

static bool take_entry(const json_t *item, struct tune_entry *entry)
{
	const char *kind, *object;
	json_int_t before, after;

	if (json_unpack((json_t *)item, "{s:s, s:s, s:I, s:I}", "kind", &kind, "object", &object,
			"before", &before, "after", &after))
		return false;
	*entry = (struct tune_entry){.before = before, .after = after};
	while (entry->kind < TUNE_KINDS && strcmp(tune_kind_name(entry->kind), kind) != 0)
		entry->kind++;
	if (entry->kind == TUNE_KINDS || !object_valid(entry->kind, object))
		return false;
	strcpy(entry->object, object);
	return true;
}

static int record_take_document(struct tune_record *record, const json_t *document)
{
	const json_t *list = json_object_get(document, "settings"), *item;
	size_t i;

	if (json_integer_value(json_object_get(document, "version")) != VERSION_1 ||
	    !json_is_array(list))
		return -EPROTO;
	json_array_foreach (list, i, item) {
		struct tune_entry entry;
		int err = take_entry(item, &entry) ? tune_record_add(record, &entry) : -EPROTO;

		if (err)
			return err;
	}
	return 0;
}

static int record_load(struct tune_record *record, struct error *error)
{
	char path[sizeof(record->directory) + sizeof(FILE_NAME) + 1];
	json_error_t said;
	json_t *document;
	int err;

	snprintf(path, sizeof(path), "%s/%s", record->directory, FILE_NAME);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	document = json_load_file(path, 0, &said);
	err = document ? record_take_document(record, document) : -EPROTO;
	json_decref(document);
	if (err)
		return error_set(error, err,
				 "%s is not a record of tune%s%s; put the values back by hand, "
				 "then remove it",
				 path, document ? "" : ": ", document ? "" : said.text);
	record->exists = true;
	return 0;
}

static int lock(struct tune_record *record, struct error *error)
{
	record->lock = open(record->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (record->lock < 0)
		return error_set(error, -errno, "cannot open %s: %s", record->directory,
				 strerror(errno));
	if (flock(record->lock, LOCK_EX | LOCK_NB) < 0)
		return error_set(error, -errno, "another tune is at work: %s is locked",
				 record->directory);
	return 0;
}

int tune_record_open(struct tune_record *record, const char *instance, bool create,
		     struct error *error)
{
	int err = 0;

	*record = (struct tune_record){.lock = -1};
	snprintf(record->directory, sizeof(record->directory), TUNE_STATE "/%s", instance);
	if (create)
		err = record_make_directory(TUNE_STATE, error);
	if (!err && create)
		err = record_make_directory(record->directory, error);
	if (err)
		return err;
	if (access(record->directory, F_OK) < 0 && errno == ENOENT)
		return 0; /* there is no record */
	err = lock(record, error);
	if (!err)
		err = record_load(record, error);
	if (err)
		tune_record_close(record);
	return err;
}

static json_t *record_json(const struct tune_record *record)
{
	json_t *list = json_array();

	for (size_t i = 0; i < record->count; i++) {
		const struct tune_entry *entry = &record->list[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:I, s:I}", "kind",
						tune_kind_name(entry->kind), "object",
						entry->object, "before", (json_int_t)entry->before,
						"after", (json_int_t)entry->after));
	}
	return json_pack("{s:i, s:o}", "version", VERSION_1, "settings", list);
}

/* Writes a new file, and renames it when it is complete and on the disk. */
static int record_replace(const struct tune_record *record)
{
	_cleanup_close_ int fd = openat(record->lock, FILE_NAME ".new",
					O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	json_t *document = record_json(record);
	int err = 0;

	if (fd < 0 || !document)
		err = fd < 0 ? -errno : -ENOMEM;
	else if (json_dumpfd(document, fd, JSON_INDENT(2)) < 0)
		err = errno ? -errno : -EIO;
	else if (fsync(fd) < 0 ||
		 renameat(record->lock, FILE_NAME ".new", record->lock, FILE_NAME) < 0 ||
		 fsync(record->lock) < 0)
		err = -errno;
	json_decref(document);
	if (err)
		unlinkat(record->lock, FILE_NAME ".new", 0);
	return err;
}

int tune_record_save(struct tune_record *record, struct error *error)
{
	int err;

	if (record->count) {
		err = record_replace(record);
		record->exists = record->exists || !err;
	} else {
		err = unlinkat(record->lock, FILE_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
		record->exists = record->exists && err;
	}
	if (err)
		return error_set(error, err, "cannot write %s/%s: %s%s", record->directory,
				 FILE_NAME, strerror(-err),
				 err == -EACCES || err == -EPERM ? "; run as root" : "");
	return 0;
}

void tune_record_close(struct tune_record *record)
{
	/* rmdir() fails while a directory has entries, as those of other instances */
	if (record->lock >= 0 && !record->exists && rmdir(record->directory) == 0)
		rmdir(TUNE_STATE);
	if (record->lock >= 0)
		close(record->lock);
	record->lock = -1;
	free(record->list);
	record->list = NULL;
	record->count = 0;
}
