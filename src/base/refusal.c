// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/cleanup.h"
#include "base/privilege.h"
#include "base/refusal.h"

#define FIRST_USER_NAMESPACE 0xeffffffdU /* PROC_USER_INIT_INO: the same in every kernel */
#define NO_COMMAND           0x7fff      /* bpf(2) has no such command */
#define FILTERED             2           /* SECCOMP_MODE_FILTER */
#define LOCKDOWN             "/sys/kernel/security/lockdown"

static int refusal_call(int command, union bpf_attr *attributes)
{
	int fd = (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));

	return fd < 0 ? -errno : fd;
}

/* 0 or -errno. */
static int refusal_make_map(void)
{
	union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY,
				     .key_size = sizeof(uint32_t),
				     .value_size = sizeof(uint32_t),
				     .max_entries = 1};
	int fd = refusal_call(BPF_MAP_CREATE, &attributes);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

bool refusal_is(int err)
{
	if (err == -EACCES) /* the verifier rejects programs with it, too */
		return refusal_make_map() == -EACCES;
	return err == -EPERM || err == -ENOSYS;
}

/* Does the call reach bpf(2)? The kernel answers an unknown command with EINVAL. */
static bool refusal_gets_through(void)
{
	union bpf_attr attributes = {0};

	return refusal_call(NO_COMMAND, &attributes) == -EINVAL;
}

/* For a word about a refusal, where trying tells nothing. */
static bool kernel_is_older(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int its_major, its_minor;

	return uname(&name) == 0 && sscanf(name.release, "%u.%u", &its_major, &its_minor) == 2 &&
	       (its_major < major || (its_major == major && its_minor < minor));
}

/*
 * Linux before 5.11 counts BPF's memory as locked memory, and does not know this helper either. Beyond the
 * limit it does not even look at the program.
 */
static bool counts_locked_memory(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_coarse_ns},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attributes = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				     .insns = (uintptr_t)program,
				     .insn_cnt = sizeof(program) / sizeof(program[0]),
				     .license = (uintptr_t) "GPL"};
	int fd = refusal_call(BPF_PROG_LOAD, &attributes);

	if (fd >= 0)
		close(fd);
	return fd == -EINVAL || (fd == -EPERM && kernel_is_older(5, 11));
}

static bool in_first_user_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/user", &status) < 0 || status.st_ino == FIRST_USER_NAMESPACE;
}

static int seccomp_mode(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	int mode = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	}
	return mode;
}

/* The file has "none [integrity] confidentiality"; `mode` is empty if there is no lockdown. */
static void read_lockdown(char *mode, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(LOCKDOWN, "re");
	char line[128], found[32] = "";
	const char *begin = file && fgets(line, sizeof(line), file) ? strchr(line, '[') : NULL;

	if (begin && sscanf(begin, "[%31[a-z]", found) == 1 && strcmp(found, "none") != 0)
		snprintf(mode, size, "%s", found);
	else
		*mode = '\0';
}

/* Something forbids the system call as a whole. */
static void explain_filter(int err, char *cause, size_t size)
{
	if (seccomp_mode() == FILTERED)
		snprintf(cause, size,
			 "a filter of system calls (seccomp) forbids bpf(2) to this process; allow "
			 "it in the container's profile, or in SystemCallFilter= of its unit");
	else if (err == -ENOSYS && access("/proc/sys/kernel/unprivileged_bpf_disabled", F_OK) < 0)
		snprintf(cause, size,
			 "this kernel has no bpf(2): it is built without CONFIG_BPF_SYSCALL");
	else
		snprintf(cause, size,
			 "a security module forbids bpf(2) to this process; its log, as in "
			 "journalctl -k, says which");
}

/* May it be for want of locked memory? The limit in KiB. */
static bool lacks_locked_memory(int err, uintmax_t *limit_kib)
{
	struct rlimit limit;

	if (err != -EPERM || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return false;
	*limit_kib = (uintmax_t)limit.rlim_cur / 1024;
	return limit.rlim_cur != RLIM_INFINITY && refusal_gets_through() && counts_locked_memory();
}

static void explain_policy(int err, char *cause, size_t size)
{
	uintmax_t limit_kib;
	char lockdown[32];

	read_lockdown(lockdown, sizeof(lockdown));
	if (lacks_locked_memory(err, &limit_kib))
		snprintf(cause, size,
			 "before Linux 5.11 BPF may take no more than the limit of locked memory, "
			 "%ju KiB here: ulimit -l unlimited",
			 limit_kib);
	else if (*lockdown)
		snprintf(cause, size,
			 "the kernel is locked down (%s, as " LOCKDOWN " has it), which forbids "
			 "part of BPF; lockdown=none on its command line, without Secure Boot, "
			 "allows it",
			 lockdown);
	else
		snprintf(cause, size,
			 "a security module forbids it; its log, as in journalctl -k, says which");
}

int refusal_explain(int err, const char *what, struct error *error)
{
	char missing[PRIVILEGE_TEXT_SIZE], cause[256];

	if (*privilege_missing(missing))
		snprintf(cause, sizeof(cause),
			 "this process lacks %s; run as root, or with " PRIVILEGE_NEEDED, missing);
	else if (!in_first_user_namespace())
		snprintf(cause, sizeof(cause),
			 "this process is root in a user namespace alone, as in a rootless "
			 "container, and BPF takes root of the host");
	else if (!refusal_gets_through())
		explain_filter(err, cause, sizeof(cause));
	else
		explain_policy(err, cause, sizeof(cause));
	return error_set(error, err, "%s: %s", what, cause);
}

void refusal_lift_limit(void)
{
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};

	if (counts_locked_memory())
		setrlimit(RLIMIT_MEMLOCK, &none);
}

int refusal_check(struct error *error)
{
	int err = refusal_make_map();
	uintmax_t limit_kib;

	/* want of memory is told where it matters, where libbpf has raised the limit if it may */
	if (!err || !refusal_is(err) || lacks_locked_memory(err, &limit_kib))
		return 0;
	return refusal_explain(err, "not permitted to use BPF", error);
}
