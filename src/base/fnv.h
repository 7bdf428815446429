/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FNV-1a, a hash for check sums and short names. Easy to forge: use it where nobody gains by that.
 */
#ifndef BASE_FNV_H
#define BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t fnv1a(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 16777619U;
	return hash;
}

#endif
