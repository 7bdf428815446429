// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rules/perfect_hash.h"

#define KEYS_PER_BUCKET 4
#define FEW             64 /* so many keys get two slots each: their buckets are few to choose from */
#define SPARE           16 /* of more keys, one slot in so many stays free */
#define MAX_SEEDS       1000
#define DISPLACEMENTS   (1U << TABLE_DISPLACEMENT_BITS)
#define FREE_SLOT       UINT32_MAX

/* The state of a build. Bucket b's keys are order[start[b]] .. order[start[b + 1] - 1]. */
struct build {
	struct perfect_hash_layout *layout;
	struct table_place *place; /* of each key */
	uint32_t *start;
	uint32_t *order;
	uint32_t *by_size; /* buckets, the fullest first */
	uint32_t *owner;   /* of each slot: the key, or FREE_SLOT */
	size_t buckets;
	size_t count;
};

static size_t power_of_two(size_t at_least)
{
	size_t power = 1;

	while (power < at_least)
		power *= 2;
	return power;
}

/* The fewer slots, the more of them are in the caches; but the last keys need some to choose from. */
static size_t slots_for(size_t count)
{
	return count <= FEW ? 2 * count + 1 : count + count / SPARE;
}

static void build_free(struct build *build)
{
	free(build->place);
	free(build->start);
	free(build->order);
	free(build->by_size);
	free(build->owner);
}

static int build_prepare(struct build *build)
{
	size_t slots = build->layout->slot_count;

	build->place = calloc(build->count + 1, sizeof(*build->place));
	build->start = calloc(build->buckets + 1, sizeof(*build->start));
	build->order = calloc(build->count + 1, sizeof(*build->order));
	build->by_size = calloc(build->buckets, sizeof(*build->by_size));
	build->owner = calloc(slots, sizeof(*build->owner));
	if (!build->place || !build->start || !build->order || !build->by_size || !build->owner)
		return -ENOMEM;
	return 0;
}

/* Sorts the keys by bucket (counting sort). */
static void sort_keys(struct build *build)
{
	memset(build->start, 0, (build->buckets + 1) * sizeof(*build->start));
	for (size_t i = 0; i < build->count; i++)
		build->start[build->place[i].bucket]++;
	for (size_t b = 1; b <= build->buckets; b++)
		build->start[b] += build->start[b - 1];
	for (size_t i = 0; i < build->count; i++)
		build->order[--build->start[build->place[i].bucket]] = i;
}

static uint32_t bucket_size(const struct build *build, size_t bucket)
{
	return build->start[bucket + 1] - build->start[bucket];
}

static void sort_buckets(struct build *build)
{
	uint32_t largest = 0;
	size_t next = 0;

	for (size_t b = 0; b < build->buckets; b++) {
		if (bucket_size(build, b) > largest)
			largest = bucket_size(build, b);
	}
	/* a bucket holds a handful of keys, so this is linear in practice */
	for (uint32_t size = largest + 1; size-- > 0;) {
		for (size_t b = 0; b < build->buckets; b++) {
			if (bucket_size(build, b) == size)
				build->by_size[next++] = b;
		}
	}
}

/* Puts all keys of the bucket into free slots, or none of them and returns false. */
static bool place_bucket(struct build *build, size_t bucket, uint16_t displacement)
{
	const struct table *geometry = &build->layout->geometry;
	uint32_t first = build->start[bucket], end = build->start[bucket + 1];

	for (uint32_t i = first; i < end; i++) {
		uint32_t key = build->order[i];
		uint32_t slot = table_slot(geometry->slots, build->place[key], displacement);

		if (build->owner[slot] != FREE_SLOT) {
			while (i-- > first)
				build->owner[build->layout->slot_of[build->order[i]]] = FREE_SLOT;
			return false;
		}
		build->owner[slot] = key;
		build->layout->slot_of[key] = slot;
	}
	return true;
}

static void store_displacement(struct perfect_hash_layout *layout, size_t bucket,
			       uint16_t displacement)
{
	unsigned int shift = bucket % TABLE_DISPLACEMENTS_PER_WORD * TABLE_DISPLACEMENT_BITS;

	if (layout->displacements)
		layout->displacements[bucket / TABLE_DISPLACEMENTS_PER_WORD] |=
			(uint64_t)displacement << shift;
}

static bool place_all(struct build *build)
{
	struct perfect_hash_layout *layout = build->layout;
	uint32_t tries = layout->displacements ? DISPLACEMENTS : 1;

	memset(build->owner, 0xff, layout->slot_count * sizeof(*build->owner));
	if (layout->displacements)
		memset(layout->displacements, 0, layout->displacement_words * sizeof(uint64_t));
	for (size_t i = 0; i < build->buckets; i++) {
		size_t bucket = build->by_size[i];
		uint32_t displacement = 0;

		while (!place_bucket(build, bucket, displacement)) {
			if (++displacement == tries)
				return false;
		}
		store_displacement(layout, bucket, displacement);
	}
	return true;
}

static void hash_keys(struct build *build, const uint64_t *keys, size_t words)
{
	const struct table *geometry = &build->layout->geometry;

	for (size_t i = 0; i < build->count; i++) {
		uint64_t hash = geometry->seed;

		for (size_t w = 0; w < words; w++)
			hash = table_mix(hash, keys[i * words + w]);
		build->place[i] = table_place(geometry->bucket_mask, hash);
	}
}

static int layout_prepare(struct perfect_hash_layout *layout, size_t count, size_t buckets)
{
	memset(layout, 0, sizeof(*layout));
	layout->slot_count = slots_for(count);
	layout->geometry.slots = layout->slot_count;
	layout->geometry.bucket_mask = buckets - 1;
	layout->slot_of = calloc(count + 1, sizeof(*layout->slot_of));
	if (!layout->slot_of)
		return -ENOMEM;
	if (buckets == 1)
		return 0;
	layout->displacement_words =
		(buckets + TABLE_DISPLACEMENTS_PER_WORD - 1) / TABLE_DISPLACEMENTS_PER_WORD;
	layout->displacements = calloc(layout->displacement_words, sizeof(uint64_t));
	return layout->displacements ? 0 : -ENOMEM;
}

int perfect_hash_build(struct perfect_hash_layout *layout, const uint64_t *keys, size_t words,
		       size_t count)
{
	struct build build = {
		.layout = layout,
		.buckets = power_of_two(count / KEYS_PER_BUCKET),
		.count = count,
	};
	int err = layout_prepare(layout, count, build.buckets);

	if (!err)
		err = build_prepare(&build);
	for (uint64_t seed = 1; !err; seed++) {
		layout->geometry.seed = seed * 0xa0761d6478bd642fULL;
		hash_keys(&build, keys, words);
		sort_keys(&build);
		sort_buckets(&build);
		if (place_all(&build))
			break;
		if (seed == MAX_SEEDS)
			err = -EEXIST;
	}
	build_free(&build);
	if (err)
		perfect_hash_layout_clear(layout);
	return err;
}

void perfect_hash_layout_clear(struct perfect_hash_layout *layout)
{
	free(layout->displacements);
	free(layout->slot_of);
	memset(layout, 0, sizeof(*layout));
}

int perfect_hash_take(struct perfect_hash_table *table, struct perfect_hash_layout *layout,
		      size_t slot_size)
{
	table->slots = calloc(layout->slot_count, slot_size);
	if (!table->slots)
		return -ENOMEM;
	table->geometry = layout->geometry;
	table->displacements = layout->displacements;
	table->displacement_words = layout->displacement_words;
	table->slot_size = slot_size;
	table->slot_count = layout->slot_count;
	layout->displacements = NULL;
	return 0;
}

void perfect_hash_clear(struct perfect_hash_table *table)
{
	free(table->displacements);
	free(table->slots);
	memset(table, 0, sizeof(*table));
}
