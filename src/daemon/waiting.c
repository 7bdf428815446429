// SPDX-License-Identifier: GPL-2.0-only
/* `run --wait`: a start whose interfaces are missing, or have a smaller MTU than forward.mtu. */
#include <errno.h>

#include "daemon/internal.h"

#define LOOK_MS  200  /* between two looks at the interfaces */
#define RETRY_MS 1000 /* after an attempt failed for another reason */

bool daemon_may_wait(const struct daemon *daemon, int err)
{
	return daemon->options->wait && !applied_any(&daemon->applied) &&
	       (err == -ENODEV || err == -ERANGE);
}

void daemon_begin_waiting(struct daemon *daemon, const struct error *why)
{
	daemon->due[JOB_BEAT] = daemon->due[JOB_NEXT_HOPS] = NEVER;
	daemon_note_trouble(daemon, why->text);
}

int64_t daemon_try_to_attach(struct daemon *daemon, int64_t now)
{
	struct error error;
	int err;

	if (daemon_is_to_end())
		return now + LOOK_MS;
	err = daemon_apply_datapath(daemon, &daemon->config, &error);
	if (!err || daemon_is_to_end())
		return now + LOOK_MS;
	daemon_note_trouble(daemon, error.text);
	return now + (daemon_may_wait(daemon, err) ? LOOK_MS : RETRY_MS);
}
