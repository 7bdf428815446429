/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that look random and are the same for the same seed everywhere (splitmix64). */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t value = random->state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/* The seed of part `number` of a run: parts can be drawn alone and in any order. */
static inline uint64_t random_part(uint64_t seed, uint64_t number)
{
	struct random random = {seed ^ number * 0xd1342543de82ef95};

	return random_next(&random);
}

/* 0 to limit - 1 */
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

/* first to last, both included */
static inline uint32_t random_from(struct random *random, uint32_t first, uint32_t last)
{
	return first + random_below(random, last - first + 1);
}

static inline bool random_chance(struct random *random, uint32_t percent)
{
	return random_below(random, 100) < percent;
}

static inline void random_fill(struct random *random, void *to, size_t size)
{
	uint8_t *bytes = to;
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++) {
		if (i % 8 == 0)
			value = random_next(random);
		bytes[i] = (uint8_t)value;
		value >>= 8;
	}
}

#define RANDOM_PICK(random, list) \
	((list)[random_below(random, (uint32_t)(sizeof(list) / sizeof((list)[0])))])

#endif
