// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "instance/record.h"
#include "instance/reloads.h"

#define RELOADS_LAYOUT 3 /* another one for each change of struct instance_reloads */

int instance_write_reloads(const char *name, const struct instance_reloads *reloads)
{
	struct instance_reloads record;

	memset(&record, 0, sizeof(record)); /* the padding, too, goes into the file */
	memcpy(&record, reloads, sizeof(record));
	return instance_write_record(name, INSTANCE_RELOADS, RELOADS_LAYOUT, &record,
				     sizeof(record));
}

int instance_read_reloads(const char *name, struct instance_reloads *reloads)
{
	return instance_read_record(name, INSTANCE_RELOADS, RELOADS_LAYOUT, reloads,
				    sizeof(*reloads));
}
