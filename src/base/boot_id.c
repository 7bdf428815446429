// SPDX-License-Identifier: GPL-2.0-only
#include "base/boot_id.h"

#include "base/cleanup.h"
#include "base/fnv.h"

uint16_t boot_id(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char id[64]; /* a UUID and a newline */
	uint32_t hash;

	if (!file)
		return 0;
	hash = fnv1a(id, fread(id, 1, sizeof(id), file));
	return hash >> 16 ^ hash;
}
