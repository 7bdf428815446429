/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process uses of its host, for the metrics that every Prometheus client has of itself. */
#ifndef OBSERVE_PROCESS_H
#define OBSERVE_PROCESS_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct process_usage {
	double cpu_seconds;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t open_fds;
	uint64_t max_fds;  /* 0: no limit, or not known */
	double started_at; /* CLOCK_REALTIME, seconds */
};

/* 0; -errno: it has ended, or this process may not look at it. */
int process_read_usage(pid_t pid, struct process_usage *usage);
void process_print_metrics(const struct process_usage *usage, FILE *stream);

#endif
