// SPDX-License-Identifier: GPL-2.0-only
/* The facts of the whole host. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/magic.h>

#include "base/cleanup.h"
#include "base/refusal.h"
#include "host/internal.h"
#include "instance/instance.h"

#define IDLE_STATES "/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state[0-9]*/disable"

bool host_read_line(const char *path, char *text, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	*text = '\0';
	if (!file || !fgets(text, (int)size, file)) {
		*text = '\0';
		return false;
	}
	text[strcspn(text, "\n")] = '\0';
	return true;
}

int64_t host_read_number(const char *format, ...)
{
	char path[256], text[32], *end;
	int64_t number;
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (!host_read_line(path, text, sizeof(text)))
		return HOST_UNKNOWN;
	errno = 0;
	number = strtoll(text, &end, 10);
	return end == text || errno || number < 0 ? HOST_UNKNOWN : number;
}

static enum answer has(uint64_t capabilities, int one)
{
	return capabilities & 1ULL << one || capabilities & 1ULL << CAP_SYS_ADMIN ? ANSWER_YES
										  : ANSWER_NO;
}

static void read_capabilities(struct host *host)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint64_t effective;

	if (syscall(SYS_capget, &header, data) < 0)
		return;
	effective = data[0].effective | (uint64_t)data[1].effective << 32;
	host->cap_bpf = has(effective, CAP_BPF);
	host->cap_perfmon = has(effective, CAP_PERFMON);
	host->cap_net_admin = effective & 1ULL << CAP_NET_ADMIN ? ANSWER_YES : ANSWER_NO;
	host->cap_sys_admin = effective & 1ULL << CAP_SYS_ADMIN ? ANSWER_YES : ANSWER_NO;
}

/* The highest number of an idle state that is enabled on any CPU. */
static int64_t deepest_idle_state(void)
{
	int64_t deepest = HOST_UNKNOWN;
	glob_t found;

	if (glob(IDLE_STATES, 0, NULL, &found))
		return HOST_UNKNOWN;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *state = strstr(found.gl_pathv[i], "/state");
		int64_t number = state ? strtoll(state + strlen("/state"), NULL, 10) : 0;

		if (number > deepest && host_read_number("%s", found.gl_pathv[i]) == 0)
			deepest = number;
	}
	globfree(&found);
	return deepest;
}

/* Does a program of this name run, as far as this process can see? */
static enum answer runs(const char *name)
{
	DIR *directory = opendir("/proc");
	enum answer answer = ANSWER_NO;
	const struct dirent *entry;

	if (!directory)
		return ANSWER_UNKNOWN;
	while (answer == ANSWER_NO && (entry = readdir(directory))) {
		char path[300], command[32];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (host_read_line(path, command, sizeof(command)) && strcmp(command, name) == 0)
			answer = ANSWER_YES;
	}
	closedir(directory);
	return answer;
}

/* The parameter reads Y or N if the module declares it as a switch, else as a number. */
static int64_t frag_bypass(void)
{
	char text[16];

	if (!host_read_line(DRIVER_ENA_BYPASS_FILE, text, sizeof(text)))
		return HOST_UNKNOWN;
	return *text == 'Y' || *text == '1';
}

/*
 * "0-7" or "0,2-3": the kernel's nr_cpu_ids, which drivers go by, is one more than the last number.
 */
static int64_t possible_cpus(void)
{
	char text[64];
	size_t end;

	if (!host_read_line("/sys/devices/system/cpu/possible", text, sizeof(text)))
		return sysconf(_SC_NPROCESSORS_CONF);
	end = strlen(text);
	while (end && isdigit((unsigned char)text[end - 1]))
		end--;
	return atoi(text + end) + 1;
}

void host_read_system(struct host *host)
{
	struct utsname names;
	struct statfs bpffs;
	struct error refusal;

	if (uname(&names) == 0) {
		strcpy(host->kernel, names.release);
		strcpy(host->machine, names.machine);
	}
	host->cpus = possible_cpus();
	datapath_probe(&host->features);
	if (refusal_check(&refusal))
		snprintf(host->bpf_refused, sizeof(host->bpf_refused), "%.255s", refusal.text);
	else if (error_may_pass(host->features.xdp_err))
		snprintf(host->bpf_refused, sizeof(host->bpf_refused),
			 "the kernel loads no XDP program for this process now: %s",
			 strerror(-host->features.xdp_err));
	host->btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? ANSWER_YES : ANSWER_NO;
	if (statfs(INSTANCE_BPFFS, &bpffs) == 0)
		host->bpffs = bpffs.f_type == BPF_FS_MAGIC ? ANSWER_YES : ANSWER_NO;
	else if (errno == ENOENT)
		host->bpffs = ANSWER_NO;
	read_capabilities(host);
	host->ip_forward = host_read_number("/proc/sys/net/ipv4/ip_forward");
	host->forwarding6 = host_read_number("/proc/sys/net/ipv6/conf/all/forwarding");
	host->rp_filter = host_read_number("/proc/sys/net/ipv4/conf/all/rp_filter");
	host->send_redirects = host_read_number("/proc/sys/net/ipv4/conf/all/send_redirects");
	host->frag_bypass = frag_bypass();
	host->idle_state = deepest_idle_state();
	host->irqbalance = runs("irqbalance");
}

static bool in_name(const char *at)
{
	return isalnum((unsigned char)*at) || *at == '_' || *at == '-' ||
	       (*at == '.' && isalnum((unsigned char)at[1]));
}

bool host_log_names(const char *line, const char *interface)
{
	size_t length = strlen(interface);
	const char *found = length ? strstr(line, interface) : NULL;

	for (; found; found = strstr(found + 1, interface)) {
		if ((found == line || !in_name(found - 1)) && !in_name(found + length))
			return true;
	}
	return false;
}

/* Keeps a line of the kernel's log if it is about XDP on this interface. */
static void take_log(struct host_link *link, const char *line)
{
	static const char *const refusing[] = {"fail",          "too large",  "exceed",
					       "not supported", "not enough", "larger than"};

	if (!host_log_names(line, link->name) || !strcasestr(line, "xdp"))
		return;
	*link->refusal = '\0'; /* an attachment has succeeded since */
	for (size_t i = 0; i < sizeof(refusing) / sizeof(refusing[0]); i++) {
		if (strcasestr(line, refusing[i]))
			snprintf(link->refusal, sizeof(link->refusal), "%s", line);
	}
}

void host_read_log(struct host *host)
{
	_cleanup_close_ int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192];
	ssize_t length;

	host->kernel_log = ANSWER_NO;
	if (fd < 0)
		return;
	/* read() returns one record: "6,339,5140900,-;text"; EPIPE: it was overwritten before */
	while ((length = read(fd, record, sizeof(record) - 1)) > 0 ||
	       (length < 0 && (errno == EPIPE || errno == EINTR))) {
		char *text;

		if (length < 0)
			continue;
		host->kernel_log = ANSWER_YES;
		record[length] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		take_log(&host->listen, text + 1);
		if (strcmp(host->listen.name, host->forward.name) != 0)
			take_log(&host->forward, text + 1);
	}
}
