/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of tune/ share. */
#ifndef TUNE_INTERNAL_H
#define TUNE_INTERNAL_H

#include "tune/tune.h"

/* Reads and writes one value. 0 or -errno; *value is untouched on failure. */
int tune_get(enum tune_kind kind, const char *object, int64_t *value);
int tune_set(enum tune_kind kind, const char *object, int64_t value);
const char *tune_kind_name(enum tune_kind kind); /* as in the record */

/*
 * Would this change interrupt an interface that carries a program? Then it must wait, and `why`,
 * which holds TUNE_SKIPPED_SIZE, says what to stop first. Pure.
 */
bool tune_must_wait(enum tune_kind kind, const struct host_link *link, const char *instance,
		    char *why);

/* One value that `tune` has changed, or is about to change. */
struct tune_entry {
	enum tune_kind kind;
	char object[TUNE_OBJECT_SIZE];
	int64_t before; /* what it was before the first change */
	int64_t after;  /* what it was changed to last */
};

/* The record of an instance's changes, in the order in which they were made. */
struct tune_record {
	char directory[256];
	int lock; /* the locked directory */
	bool exists;
	struct tune_entry *list;
	size_t count;
};

/* Opens and locks the record; `create`: makes the directory if there is none. */
int tune_record_open(struct tune_record *record, const char *instance, bool create,
		     struct error *error);
/* The entry of this value, or NULL. */
struct tune_entry *tune_record_find(const struct tune_record *record, enum tune_kind kind,
				    const char *object);
int tune_record_add(struct tune_record *record, const struct tune_entry *entry); /* -ENOMEM */
/* Replaces the file atomically and syncs it; removes it if the record has no entries. */
int tune_record_save(struct tune_record *record, struct error *error);
void tune_record_close(struct tune_record *record);

#endif
