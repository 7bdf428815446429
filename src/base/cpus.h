/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's lists of CPUs, as "0-3,5" (Documentation/admin-guide/cputopology.rst). */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

#include <stddef.h>

/* Bytes that hold a list; with more gaps than have room there its end is missing. */
#define CPUS_LIST_SIZE 1024
#define CPUS_ONLINE    "/sys/devices/system/cpu/online"

/* Those that are online now, by the file CPUS_ONLINE. 0 or -errno. */
int cpus_online(char list[CPUS_LIST_SIZE]);
/* The first one in a list whose number is above `after`, which is -1 or more; -1: there is none. */
int cpus_next(const char *list, int after);

#endif
