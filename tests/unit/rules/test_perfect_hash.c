// SPDX-License-Identifier: GPL-2.0-only
/* Perfect hashes: a reader finds every key of the table, and no key that is not in it. */
#include <errno.h>

#include "rules/perfect_hash.h"
#include "tests/unit/unit.h"

#define MAX_WORDS 5
#define STRANGERS 1000 /* keys that are looked up and are not in the table */
#define FREE_SLOT UINT32_MAX

/* The slot that the datapath reads for a key: like table_find() in bpf/lookup.h, without maps. */
static uint32_t read_slot(const struct perfect_hash_layout *layout, const uint64_t *key,
			  size_t words)
{
	const struct table *table = &layout->geometry;
	uint64_t hash = table->seed, displacement = 0;
	struct table_place place;

	for (size_t w = 0; w < words; w++)
		hash = table_mix(hash, key[w]);
	place = table_place(table->bucket_mask, hash);
	if (table->bucket_mask) {
		size_t word = place.bucket / TABLE_DISPLACEMENTS_PER_WORD;

		assert_true(word < layout->displacement_words);
		displacement =
			layout->displacements[word] >>
			place.bucket % TABLE_DISPLACEMENTS_PER_WORD * TABLE_DISPLACEMENT_BITS;
	}
	return table_slot(table->slots, place, (uint16_t)displacement);
}

static bool is_empty(const struct perfect_hash_layout *layout)
{
	static const struct perfect_hash_layout empty;

	return memcmp(layout, &empty, sizeof(empty)) == 0;
}

/* Makes key number i of a kind. All keys of one kind differ. */
typedef void make_key(uint64_t *key, size_t words, uint64_t i);

static void make_counting(uint64_t *key, size_t words, uint64_t i)
{
	memset(key, 0, words * sizeof(*key));
	key[words - 1] = i;
}

static void make_high_bits(uint64_t *key, size_t words, uint64_t i)
{
	memset(key, 0, words * sizeof(*key));
	key[0] = i << 40;
}

/* All zeros, all ones, then all keys with one bit set, then keys with two bits set. */
static void make_few_bits(uint64_t *key, size_t words, uint64_t i)
{
	size_t bits = words * 64, distance = i < 2 ? 0 : (i - 2) / bits;

	memset(key, i == 1 ? 0xff : 0, words * sizeof(*key));
	if (i < 2)
		return;
	assert_true(distance < bits / 2); /* larger distances would repeat keys */
	for (uint64_t bit = i - 2; bit <= i - 2 + distance; bit += distance ? distance : 1)
		key[bit % bits / 64] |= 1ULL << bit % 64;
}

static void make_random(uint64_t *key, size_t words, uint64_t i)
{
	for (size_t w = 0; w < words; w++) {
		uint64_t mixed = (i * MAX_WORDS + w + 1) * 0x9e3779b97f4a7c15ULL;

		mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
		mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
		key[w] = mixed ^ mixed >> 31;
	}
}

/* The seed that a build tries first. A single key fits any seed. */
static uint64_t first_seed(void)
{
	struct perfect_hash_layout layout;
	uint64_t seed, key = 1;

	assert_int_equal(perfect_hash_build(&layout, &key, 1, 1), 0);
	seed = layout.geometry.seed;
	perfect_hash_layout_clear(&layout);
	return seed;
}

/* Keys that all have the same hash under the first seed, as an attacker could choose them. */
static void make_colliding(uint64_t *key, size_t words, uint64_t i)
{
	static uint64_t seed;

	if (!seed)
		seed = first_seed();
	assert_int_equal(words, 2);
	key[0] = i;
	key[1] = table_mix(seed, i);
	assert_true(table_mix(table_mix(seed, key[0]), key[1]) == table_mix(0, 0));
}

/* The first two keys collide under the first seed, the others are random. */
static void make_two_colliding(uint64_t *key, size_t words, uint64_t i)
{
	if (i < 2)
		make_colliding(key, words, i);
	else
		make_random(key, words, i);
}

static uint64_t *make_keys(make_key *make, size_t words, size_t count)
{
	uint64_t *keys = calloc(count + 1, words * sizeof(*keys));

	assert_non_null(keys);
	for (size_t i = 0; i < count; i++)
		make(keys + i * words, words, i);
	return keys;
}

/* Do sizes and masks of the layout agree? */
static bool is_sound(const struct perfect_hash_layout *layout)
{
	size_t buckets = (size_t)layout->geometry.bucket_mask + 1;
	size_t words = (buckets + TABLE_DISPLACEMENTS_PER_WORD - 1) / TABLE_DISPLACEMENTS_PER_WORD;

	return layout->slot_count == layout->geometry.slots &&
	       !(buckets & layout->geometry.bucket_mask) &&
	       layout->displacement_words == (buckets == 1 ? 0 : words) &&
	       !layout->displacements == (buckets == 1);
}

/* The key in each slot, to be freed. NULL: two keys share a slot, or a key has none. */
static uint32_t *owners(const struct perfect_hash_layout *layout, size_t count)
{
	uint32_t *owner = malloc(layout->slot_count * sizeof(*owner));
	bool apart = true;

	assert_non_null(owner);
	memset(owner, 0xff, layout->slot_count * sizeof(*owner));
	for (size_t i = 0; i < count && apart; i++) {
		uint32_t slot = layout->slot_of[i];

		apart = slot < layout->slot_count && owner[slot] == FREE_SLOT;
		if (apart)
			owner[slot] = (uint32_t)i;
	}
	if (apart)
		return owner;
	free(owner);
	return NULL;
}

/* The fault of a table of the first `count` keys of a kind; "": none. */
static const char *find_fault(const struct perfect_hash_layout *layout, make_key *make,
			      size_t words, const uint64_t *keys, size_t count)
{
	uint32_t *owner = is_sound(layout) ? owners(layout, count) : NULL;
	const char *fault = owner ? "" : "geometry or slots are not sound";
	uint64_t stranger[MAX_WORDS];

	for (size_t i = 0; owner && i < count; i++) {
		if (read_slot(layout, keys + i * words, words) != layout->slot_of[i])
			fault = "the lookup of a key reads another slot than the key's";
	}
	for (size_t i = 0; owner && i < STRANGERS; i++) {
		uint32_t slot;

		make(stranger, words, count + i);
		slot = read_slot(layout, stranger, words);
		if (slot >= layout->slot_count)
			fault = "a lookup goes beyond the slots";
		else if (owner[slot] != FREE_SLOT &&
			 memcmp(keys + owner[slot] * words, stranger, words * sizeof(*keys)) == 0)
			fault = "a key that is not in the table is found";
	}
	free(owner);
	return fault;
}

static int check_keys(const char *sentence, make_key *make, size_t words, size_t count)
{
	uint64_t *keys = make_keys(make, words, count);
	struct perfect_hash_layout layout;
	int err = perfect_hash_build(&layout, keys, words, count);
	char name[128];
	int failed;

	snprintf(name, sizeof(name), "%s, %zu of %zu words", sentence, count, words);
	failed = row_differs(name,
			     err ? strerror(-err) : find_fault(&layout, make, words, keys, count),
			     "");
	perfect_hash_layout_clear(&layout);
	failed += row_differs(name, is_empty(&layout) ? "" : "not empty when cleared", "");
	free(keys);
	return failed;
}

static void all_are_found(void **state)
{
	static const struct {
		const char *sentence;
		make_key *make;
		size_t words;
	} kinds[] = {
		{"numbers that count up", make_counting, 1},
		{"keys that differ in the last word only", make_counting, MAX_WORDS},
		{"keys with the same low bits", make_high_bits, 1},
		{"keys that differ in the first word only", make_high_bits, 2},
		{"random keys", make_random, 2},
	};
	static const size_t counts[] = {0,  1,  2,  3,  4,  5,    6,    7,    8,     9,    15,
					16, 17, 63, 64, 65, 1000, 4095, 4096, 65535, 65536};
	int failed = 0;

	(void)state;
	/* stops at the first failure: a large table takes minutes to fail */
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (size_t c = 0; c < COUNT_OF(counts) && !failed; c++)
			failed += check_keys(kinds[k].sentence, kinds[k].make, kinds[k].words,
					     counts[c]);
	}
	assert_int_equal(failed, 0);
}

static void awkward_keys(void **state)
{
	static const struct {
		const char *sentence;
		make_key *make;
		size_t words;
		size_t count;
	} rows[] = {
		{"all zeros alone", make_few_bits, 1, 1},
		{"all zeros, all ones", make_few_bits, 1, 2},
		{"and each single bit", make_few_bits, 1, 66},
		{"all zeros, all ones in five words", make_few_bits, 5, 2},
		{"and each single bit of them", make_few_bits, 5, 322},
		{"and two bits", make_few_bits, 5, 640},
		{"two keys that collide under the first seed", make_colliding, 2, 2},
		{"seven colliding keys, the most in one bucket", make_colliding, 2, 7},
		{"many colliding keys", make_colliding, 2, 4096},
		{"two colliding keys among many others", make_two_colliding, 2, 4096},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows) && !failed; i++)
		failed += check_keys(rows[i].sentence, rows[i].make, rows[i].words, rows[i].count);
	assert_int_equal(failed, 0);
}

/* Equal keys share a slot under every seed. */
static void equal_keys_are_refused(void **state)
{
	static const struct {
		const char *sentence;
		size_t count;
		size_t words;
		size_t one; /* keys `one` and `other` are equal */
		size_t other;
	} rows[] = {
		{"two keys", 2, 1, 0, 1},
		{"two keys of several words", 2, 5, 0, 1},
		{"the first and the last in one bucket", 7, 1, 0, 6},
		{"the first and the last in several buckets", 64, 2, 0, 63},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t words = rows[i].words;
		uint64_t *keys = make_keys(make_random, words, rows[i].count);
		struct perfect_hash_layout layout;
		int err;

		memcpy(keys + rows[i].other * words, keys + rows[i].one * words,
		       words * sizeof(*keys));
		err = perfect_hash_build(&layout, keys, words, rows[i].count);
		if (err != -EEXIST || !is_empty(&layout))
			failed += row_differs(rows[i].sentence, err ? strerror(-err) : "taken",
					      "refused, and nothing left");
		free(keys);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_found),
		cmocka_unit_test(awkward_keys),
		cmocka_unit_test(equal_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
