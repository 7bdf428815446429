// SPDX-License-Identifier: GPL-2.0-only
/* What libbpf and the kernel say while something is loaded or attached. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/refusal.h"
#include "datapath/internal.h"
#include "instance/instance.h"

static void (*debug_print)(const char *line);

static char kernel_message[256];

/* libbpf reports the kernel's own words for a refused netlink request only this way. */
static void note_kernel_message(const char *line)
{
	static const char prefix[] = "libbpf: Kernel error message: ";

	if (strncmp(line, prefix, sizeof(prefix) - 1) == 0)
		snprintf(kernel_message, sizeof(kernel_message), "%.*s",
			 (int)strcspn(line + sizeof(prefix) - 1, "\n"), line + sizeof(prefix) - 1);
}

void datapath_forget_kernel_message(void)
{
	*kernel_message = '\0';
}

const char *datapath_kernel_message(void)
{
	return kernel_message;
}

int datapath_print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char *line = NULL;

	if (level == LIBBPF_DEBUG)
		return 0;
	if (vasprintf(&line, format, args) < 0)
		return 0;
	note_kernel_message(line);
	if (debug_print)
		debug_print(line);
	free(line);
	return 0;
}

void datapath_set_debug(void (*print)(const char *line))
{
	debug_print = print;
	libbpf_set_print(datapath_print_libbpf);
}

/*
 * libbpf asks once what the kernel can. If it has no memory for that, it takes the kernel for one that
 * cannot, for as long as the process runs, and the program that it then makes is refused.
 */
int datapath_explain_load_failure(int err, struct error *error)
{
	if (err == -ENOMEM)
		return error_set(error, err, "no memory for the program's tables");
	if (refusal_is(err))
		return refusal_explain(err, "not permitted to load BPF programs", error);
	return error_set(error, err,
			 "the kernel refuses the program: %s%s; the reason is in the output of "
			 "`run --verbose`",
			 strerror(-err),
			 err == -EINVAL ? "; if memory was short just now, start it again" : "");
}

/* Of a directory that root alone may open, or of bpf(2). */
static int message_of_permission(const char *instance, int err, struct error *error)
{
	char path[INSTANCE_PATH_SIZE], what[128];

	snprintf(what, sizeof(what), "not permitted to read the state of instance %s", instance);
	if (access(instance_pin_path(path, instance, NULL), R_OK | X_OK) == 0 && refusal_is(err))
		return refusal_explain(err, what, error);
	return error_set(error, err, "%s; run as root", what);
}

int datapath_explain_read(const char *instance, int err, struct error *error)
{
	char unit[INSTANCE_UNIT_SIZE];

	switch (err) {
	case -EACCES:
	case -EPERM:
	case -ENOSYS:
		return message_of_permission(instance, err, error);
	case -EPROTO:
		return error_set(error, err,
				 "instance %s was attached by another version of vxlan-pipeline; "
				 "systemctl restart %s replaces it",
				 instance, instance_unit(unit, instance));
	default:
		return error_set(error, err, "cannot read the state of instance %s: %s", instance,
				 strerror(-err));
	}
}
