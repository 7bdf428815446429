// SPDX-License-Identifier: GPL-2.0-only
/* What an instance has pinned, opened for a change. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "datapath/internal.h"

/*
 * What is there and cannot be read must not be taken for absent. -EPROTO: another version wrote it. Of
 * shared maps adopt_maps() tells.
 */
static int pins_missed(const struct datapath_pins *pins)
{
	if (pins->link < 0 && pins->link != -ENOENT)
		return pins->link;
	if (pins->egress_link < 0 && pins->egress_link != -ENOENT)
		return pins->egress_link;
	return pins->info_err == -ENOENT || pins->info_err == -EPROTO ? 0 : pins->info_err;
}

int datapath_open_pins(struct datapath_pins **out, const char *instance, struct error *error)
{
	struct datapath_pins *pins = calloc(1, sizeof(*pins));
	int err;

	if (!pins)
		return error_set(error, -ENOMEM, "no memory");
	snprintf(pins->instance, sizeof(pins->instance), "%s", instance);
	for (size_t i = 0; i < SHARED_MAPS; i++)
		pins->shared[i] = datapath_open_pin(instance, datapath_shared_pins[i]);
	pins->link = datapath_open_pin(instance, PIN_LINK);
	pins->egress_link = datapath_open_pin(instance, PIN_EGRESS_LINK);
	pins->info_err = datapath_read_info(instance, &pins->info);
	err = pins_missed(pins);
	if (err) {
		datapath_close_pins(pins);
		return datapath_explain_read(instance, err, error);
	}
	pins->highest = datapath_highest_generation(instance);
	err = datapath_choose_mark(pins, error);
	if (err) {
		datapath_close_pins(pins);
		return err;
	}
	*out = pins;
	return 0;
}

static void datapath_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -EBADF;
}

void datapath_close_links(struct datapath_pins *pins)
{
	datapath_close_fd(&pins->link);
	datapath_close_fd(&pins->egress_link);
}

void datapath_close_pins(struct datapath_pins *pins)
{
	if (!pins)
		return;
	datapath_close_links(pins);
	for (size_t i = 0; i < SHARED_MAPS; i++)
		datapath_close_fd(&pins->shared[i]);
	free(pins);
}
