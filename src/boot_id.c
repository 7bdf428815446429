// SPDX-License-Identifier: GPL-2.0-only
#include "boot_id.h"

#include "cleanup.h"

uint16_t boot_id(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	uint32_t hash = 2166136261U; /* FNV-1a */
	int c;

	if (!file)
		return 0;
	while ((c = fgetc(file)) != EOF)
		hash = (hash ^ (uint32_t)c) * 16777619U;
	return hash >> 16 ^ hash;
}
