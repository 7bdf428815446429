// SPDX-License-Identifier: GPL-2.0-only
/*
 * A library to preload into vxlan-pipeline. When that loads the datapath's program, the library asks
 * the verifier for statistics and appends them, with the seconds of the load, to the file
 * $WATCH_LOAD. If the load fails, libbpf loads again with a log of its own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define LOG_STATISTICS 4 /* BPF_LOG_STATS: Linux 5.2 */

long syscall(long number, ...);

static long (*libc_syscall)(long number, ...);

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void report(double time, const char *statistics)
{
	const char *path = getenv("WATCH_LOAD");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "%.2f %s\n", time, statistics);
	fclose(file);
}

static long load(long number, const union bpf_attr *original, unsigned int size)
{
	static char log[65536];
	union bpf_attr attr = {0};
	double start = seconds();
	long fd;

	memcpy(&attr, original, size < sizeof(attr) ? size : sizeof(attr));
	attr.log_level = LOG_STATISTICS;
	attr.log_buf = (unsigned long)log;
	attr.log_size = sizeof(log);
	fd = libc_syscall(number, BPF_PROG_LOAD, &attr, size);
	if (fd >= 0) {
		char *processed = strstr(log, "processed ");

		if (processed)
			processed[strcspn(processed, "\n")] = '\0';
		report(seconds() - start, processed ? processed : "no statistics");
	}
	return fd;
}

long syscall(long number, ...)
{
	const union bpf_attr *attr;
	long argument[6];
	va_list list;

	if (!libc_syscall)
		libc_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	attr = (const union bpf_attr *)argument[1];
	if (number == __NR_bpf && argument[0] == BPF_PROG_LOAD && !attr->log_level &&
	    strcmp(attr->prog_name, "vxlan_pipeline") == 0)
		return load(number, attr, (unsigned int)argument[2]);
	return libc_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4],
			    argument[5]);
}
