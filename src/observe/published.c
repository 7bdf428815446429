// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "instance/lock.h"
#include "instance/record.h"
#include "observe/published.h"

struct published_health {
	int64_t at; /* CLOCK_MONOTONIC, ms */
	struct health health;
};

#define PUBLISHED_LAYOUT 1 /* another one for each change of the above */

int health_publish(const char *instance, const struct health *health)
{
	struct published_health record;

	memset(&record, 0, sizeof(record)); /* the padding, too, goes into the file */
	record.at = clock_ms();
	memcpy(&record.health, health, sizeof(*health));
	return instance_write_record(instance, INSTANCE_HEALTH, PUBLISHED_LAYOUT, &record,
				     sizeof(record));
}

int health_read_published(const char *instance, struct health *health)
{
	struct published_health record;
	int err = instance_read_record(instance, INSTANCE_HEALTH, PUBLISHED_LAYOUT, &record,
				       sizeof(record));

	if (err)
		return err;
	if (clock_ms() - record.at > HEALTH_STALLED_MS)
		return -ESTALE;
	*health = record.health;
	return 0;
}
