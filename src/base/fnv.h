/* SPDX-License-Identifier: GPL-2.0-only */
/* FNV-1a, for what nobody forges: a check sum, a short name for a long one. */
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
