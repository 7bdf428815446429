// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "observe/process.h"

#define STATUS_SIZE 1024 /* of /proc/PID/stat; its name is shorter than 64 bytes */

static int process_open(pid_t pid, const char *file, FILE **stream)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	*stream = fopen(path, "re");
	return *stream ? 0 : -errno;
}

/* When this host booted: CLOCK_REALTIME, whole seconds, as other exporters have it. 0: not known. */
static uint64_t boot_time(void)
{
	_cleanup_fclose_ FILE *stream = fopen("/proc/stat", "re");
	char line[256];
	uint64_t seconds = 0;

	/* lines may be longer than this, and then come in parts, of which none begins like this one */
	while (stream && fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "btime %" SCNu64, &seconds) == 1)
			break;
	}
	return seconds;
}

/* The columns of proc(5), from the third on: the second may hold blanks and brackets. */
static int read_status(pid_t pid, struct process_usage *usage)
{
	_cleanup_fclose_ FILE *stream = NULL;
	char text[STATUS_SIZE], *at;
	uint64_t user, system, started, virtual_bytes;
	int64_t pages;
	double ticks = sysconf(_SC_CLK_TCK);
	int err = process_open(pid, "stat", &stream);

	if (err)
		return err;
	if (!fgets(text, sizeof(text), stream) || !(at = strrchr(text, ')')))
		return -ESRCH;
	if (sscanf(at + 1,
		   " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64
		   " %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64 " %" SCNd64,
		   &user, &system, &started, &virtual_bytes, &pages) != 5)
		return -EPROTO;
	usage->cpu_seconds = (user + system) / ticks;
	usage->started_at = boot_time() + started / ticks;
	usage->virtual_bytes = virtual_bytes;
	usage->resident_bytes = (uint64_t)pages * sysconf(_SC_PAGESIZE);
	return 0;
}

static int count_fds(pid_t pid, uint64_t *count)
{
	char path[64];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	if (!directory)
		return -errno;
	*count = 0;
	while ((entry = readdir(directory)))
		*count += entry->d_name[0] != '.';
	closedir(directory);
	return 0;
}

static void read_limit(pid_t pid, uint64_t *limit)
{
	_cleanup_fclose_ FILE *stream = NULL;
	char line[256];

	*limit = 0;
	if (process_open(pid, "limits", &stream))
		return;
	while (fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "Max open files %" SCNu64, limit) == 1)
			return;
	}
}

int process_read_usage(pid_t pid, struct process_usage *usage)
{
	int err = read_status(pid, usage);

	if (!err)
		err = count_fds(pid, &usage->open_fds);
	if (!err)
		read_limit(pid, &usage->max_fds);
	return err;
}

static void process_print(FILE *stream, const char *name, const char *type, double value,
			  const char *help)
{
	fprintf(stream, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name,
		value);
}

void process_print_metrics(const struct process_usage *usage, FILE *stream)
{
	process_print(stream, "process_cpu_seconds_total", "counter", usage->cpu_seconds,
		      "CPU time that the daemon has used, in seconds.");
	process_print(stream, "process_resident_memory_bytes", "gauge", usage->resident_bytes,
		      "Memory of the daemon that is in RAM, in bytes.");
	process_print(stream, "process_virtual_memory_bytes", "gauge", usage->virtual_bytes,
		      "Addresses that the daemon has mapped, in bytes.");
	process_print(stream, "process_open_fds", "gauge", usage->open_fds,
		      "File descriptors that the daemon has open.");
	if (usage->max_fds)
		process_print(stream, "process_max_fds", "gauge", usage->max_fds,
			      "File descriptors that the daemon may have open.");
	process_print(stream, "process_start_time_seconds", "gauge", usage->started_at,
		      "When the daemon was started, in seconds since 1970.");
}
