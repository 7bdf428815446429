// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpus.h"

int cpus_online(char list[CPUS_LIST_SIZE])
{
	FILE *file = fopen(CPUS_ONLINE, "re");
	int err = 0;

	if (!file)
		return -errno;
	if (!fgets(list, CPUS_LIST_SIZE, file))
		err = -ENODATA;
	else
		list[strcspn(list, "\n")] = '\0';
	fclose(file);
	return err;
}

int cpus_next(const char *list, int after)
{
	while (*list) {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			return -1;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (last > after)
			return (int)(first > after ? first : after + 1);
		list = end + strspn(end, ",");
	}
	return -1;
}
