/* SPDX-License-Identifier: GPL-2.0-only */
/* From the files of the program's predecessor to a configuration. */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H

#include <stdio.h>

/* NULL: not given */
struct config_import_files {
	const char *env;        /* .env: NAME=VALUE */
	const char *nat_rules;  /* nat_rules.conf: SOURCE_PORT=ADDRESS:PORT */
	const char *interfaces; /* interfaces.conf: NAME=VALUE; wins over .env */
};

/*
 * Writes a configuration that loads without problems to `out`. Writes a line to `messages` for each
 * setting that has no counterpart ("FILE:LINE: warning: ...") or is wrong ("FILE:LINE: ...").
 * Returns 0; or -EINVAL, -ENOMEM, or why a file cannot be read, and nothing is written to `out`.
 */
int config_import(const struct config_import_files *files, FILE *out, FILE *messages);

#endif
