// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tune/internal.h"

static struct tune_result *add_result(struct tune_results *results, enum tune_kind kind,
				      const char *object, int64_t before, int64_t after)
{
	struct tune_result *list =
		reallocarray(results->list, results->count + 1, sizeof(results->list[0]));
	struct tune_result *result;

	if (!list)
		return NULL;
	results->list = list;
	result = &list[results->count++];
	*result = (struct tune_result){.kind = kind,
				       .before = before,
				       .after = after,
				       .interrupts = tune_interrupts(kind)};
	snprintf(result->object, sizeof(result->object), "%s", object);
	return result;
}

void tune_results_clear(struct tune_results *results)
{
	free(results->list);
	*results = (struct tune_results){0};
}

/* Adds a result for one value of a setting, with its present value. */
static int add_value(struct tune_results *results, const struct tune_setting *setting,
		     const char *object)
{
	struct tune_result *result =
		add_result(results, setting->kind, object, setting->before, setting->after);
	int err;

	if (!result)
		return -ENOMEM;
	snprintf(result->note, sizeof(result->note), "%s", setting->why);
	err = tune_get(setting->kind, object, &result->before);
	if (err) {
		result->outcome = TUNE_FAILED;
		snprintf(result->note, sizeof(result->note), "cannot be read: %s", strerror(-err));
	} else if (result->before == result->after) {
		result->outcome = TUNE_UNCHANGED;
		result->interrupts = false;
	}
	return 0;
}

/* Adds a value for each file that the setting's pattern matches. */
static int add_files(struct tune_results *results, const struct tune_setting *setting)
{
	glob_t found;
	int err = 0;

	if (glob(setting->object, 0, NULL, &found))
		return 0; /* the files are gone: nothing to change */
	for (size_t i = 0; !err && i < found.gl_pathc; i++)
		err = add_value(results, setting, found.gl_pathv[i]);
	globfree(&found);
	return err;
}

static int expand(const struct tune_plan *plan, struct tune_results *results)
{
	int err = 0;

	for (size_t i = 0; !err && i < plan->count; i++) {
		const struct tune_setting *setting = &plan->list[i];
		struct tune_result *result;

		if (!*setting->skipped) {
			err = strchr(setting->object, '*')
				      ? add_files(results, setting)
				      : add_value(results, setting, setting->object);
			continue;
		}
		result = add_result(results, setting->kind, setting->object, setting->before,
				    setting->after);
		if (!result)
			return -ENOMEM;
		result->outcome = TUNE_SKIPPED;
		snprintf(result->note, sizeof(result->note), "%s", setting->skipped);
	}
	return err;
}

int tune_preview(const struct tune_plan *plan, struct tune_results *results, struct error *error)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct tune_setting *setting = &plan->list[i];
		struct tune_result *result = add_result(results, setting->kind, setting->object,
							setting->before, setting->after);

		if (!result)
			return error_set(error, -ENOMEM, "no memory");
		result->outcome = *setting->skipped ? TUNE_SKIPPED : TUNE_PLANNED;
		snprintf(result->note, sizeof(result->note), "%s",
			 *setting->skipped ? setting->skipped : setting->why);
	}
	return 0;
}

/*
 * Records the values that are about to change. A value that is recorded keeps its first `before`.
 */
static int write_down(struct tune_record *record, const struct tune_results *results,
		      struct error *error)
{
	bool needed = false;

	for (size_t i = 0; i < results->count; i++) {
		const struct tune_result *result = &results->list[i];
		struct tune_entry entry = {.kind = result->kind,
					   .before = result->before,
					   .after = result->after};
		struct tune_entry *known;

		if (result->outcome != TUNE_PLANNED)
			continue;
		needed = true;
		known = tune_record_find(record, result->kind, result->object);
		strcpy(entry.object, result->object);
		if (known)
			known->after = result->after;
		else if (tune_record_add(record, &entry))
			return error_set(error, -ENOMEM, "no memory");
	}
	return needed ? tune_record_save(record, error) : 0;
}

/* Sets a value, and reads back what the host made of it: drivers round values. */
static int change(enum tune_kind kind, const char *object, int64_t value, int64_t *now)
{
	int err = tune_set(kind, object, value);

	return err ? err : tune_get(kind, object, now);
}

static void make_changes(struct tune_record *record, struct tune_results *results)
{
	bool rounded = false;

	for (size_t i = 0; i < results->count; i++) {
		struct tune_result *result = &results->list[i];
		struct tune_entry *entry;
		int err;

		if (result->outcome != TUNE_PLANNED)
			continue;
		err = change(result->kind, result->object, result->after, &result->after);
		result->outcome = err ? TUNE_FAILED : TUNE_CHANGED;
		if (err)
			snprintf(result->note, sizeof(result->note), "cannot be changed: %s%s",
				 strerror(-err),
				 err == -EPERM || err == -EACCES ? "; run as root" : "");
		entry = tune_record_find(record, result->kind, result->object);
		rounded = rounded || entry->after != result->after;
		entry->after = result->after;
	}
	if (rounded) {
		struct error ignored; /* the record holds the wanted value already */

		tune_record_save(record, &ignored);
	}
}

int tune_apply(const struct tune_plan *plan, const char *instance, struct tune_results *results,
	       struct error *error)
{
	struct tune_record record;
	int err = tune_record_open(&record, instance, true, error);

	if (err)
		return err;
	err = expand(plan, results);
	if (err)
		error_set(error, err, "no memory");
	if (!err)
		err = write_down(&record, results, error);
	if (!err)
		make_changes(&record, results);
	tune_record_close(&record);
	return err;
}

/* tune_must_wait(), judged by the program that the interface carries now. */
static bool must_wait(const struct tune_entry *entry, const char *instance, char *why)
{
	struct host_link link = {0};

	if (!tune_interrupts(entry->kind))
		return false;
	strcpy(link.name, entry->object); /* the record refuses longer names */
	host_read_link(&link, instance);
	return tune_must_wait(entry->kind, &link, instance, why);
}

/* False: the value could not be put back. */
static bool tune_put_back(const struct tune_entry *entry, const char *instance,
			  struct tune_result *result)
{
	int err = tune_get(entry->kind, entry->object, &result->before);

	if (!err && result->before == entry->before) {
		result->outcome = TUNE_UNCHANGED;
		result->interrupts = false;
		snprintf(result->note, sizeof(result->note), "it was put back already");
		return true;
	}
	if (!err && must_wait(entry, instance, result->note)) {
		result->outcome = TUNE_SKIPPED;
		return false;
	}
	if (!err)
		err = change(entry->kind, entry->object, entry->before, &result->after);
	if (!err && result->after != entry->before)
		err = -ERANGE;
	if (err) {
		result->outcome = TUNE_FAILED;
		snprintf(result->note, sizeof(result->note), "cannot be put back: %s",
			 strerror(-err));
		return false;
	}
	result->outcome = TUNE_CHANGED;
	if (result->before != entry->after)
		snprintf(result->note, sizeof(result->note),
			 "somebody had changed it since, tune had set %" PRId64, entry->after);
	else
		snprintf(result->note, sizeof(result->note), "as it was");
	return true;
}

int tune_revert(const char *instance, struct tune_results *results, struct error *error)
{
	struct tune_record record, left = {.lock = -1};
	int err = tune_record_open(&record, instance, false, error);

	if (err || !record.exists) {
		if (!err)
			tune_record_close(&record);
		return err;
	}
	/* the file keeps all entries until the last value is back, in case the process is killed */
	for (size_t i = record.count; !err && i-- > 0;) {
		const struct tune_entry *entry = &record.list[i];
		struct tune_result *result = add_result(results, entry->kind, entry->object,
							entry->before, entry->before);

		if (!result ||
		    (!tune_put_back(entry, instance, result) && tune_record_add(&left, entry)))
			err = error_set(error, -ENOMEM, "no memory");
	}
	if (!err) {
		/* the loop above has collected these in reverse order */
		record.count = left.count;
		for (size_t i = 0; i < left.count; i++)
			record.list[i] = left.list[left.count - 1 - i];
		err = tune_record_save(&record, error);
	}
	free(left.list);
	tune_record_close(&record);
	return err;
}
