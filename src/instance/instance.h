/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of an instance, and the paths that follow from them. */
#ifndef INSTANCE_INSTANCE_H
#define INSTANCE_INSTANCE_H

#include <stdbool.h>

#define INSTANCE_BPFFS     "/sys/fs/bpf"
#define INSTANCE_PINS      INSTANCE_BPFFS "/vxlan-pipeline"
#define INSTANCE_RUN       "/run/vxlan-pipeline"
#define INSTANCE_DEFAULT   "config"
#define INSTANCE_NAME_MAX  64
#define INSTANCE_PATH_SIZE 256
#define INSTANCE_UNIT_SIZE (sizeof("vxlan-pipeline@") + INSTANCE_NAME_MAX)

/* Letters, digits, '-' and '_', at most INSTANCE_NAME_MAX: BPF file systems allow no dots. */
bool instance_name_valid(const char *name);

/* The systemd unit of the instance. Returns `text`, which holds INSTANCE_UNIT_SIZE bytes. */
const char *instance_unit(char *text, const char *name);
/*
 * INSTANCE_PINS/NAME, or a path below it; as the daemon sees it after instance_follow_daemon()
 * (bpffs.h). Returns `path`, which holds INSTANCE_PATH_SIZE bytes.
 */
const char *instance_pin_path(char *path, const char *name, const char *below);

#endif
