// SPDX-License-Identifier: GPL-2.0-only
/* The state of the daemon, for its files and, written down, for other commands. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/internal.h"
#include "instance/instance.h"
#include "net/netdev.h"

bool daemon_is_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT) ||
		sigismember(&pending, SIGUSR1));
}

void daemon_note_reloads(const struct daemon *daemon)
{
	int err = instance_write_reloads(daemon->options->instance, &daemon->reloads);

	if (err)
		log_warning("cannot tell how the reload went: " INSTANCE_RUN ": %s",
			    strerror(-err));
}

void daemon_note_trouble(struct daemon *daemon, const char *why)
{
	if (strcmp(daemon->reloads.trouble, why) == 0)
		return;
	snprintf(daemon->reloads.trouble, sizeof(daemon->reloads.trouble), "%s", why);
	daemon_note_reloads(daemon);
}

int daemon_apply_datapath(struct daemon *daemon, struct config *config, struct error *error)
{
	int err;

	log_set_level(config->log.level);
	err = netdev_find_name(config->listen.interface, error);
	if (!err)
		err = netdev_find_name(config->forward.interface, error);
	if (!err)
		err = apply_config(&daemon->applied, daemon->options->instance, config, error);
	if (!err) {
		daemon->due[JOB_BEAT] = 0;
		daemon->due[JOB_NEXT_HOPS] = config->forward.next_hop == NEXT_HOP_ROUTE ? 0 : NEVER;
		daemon_note_trouble(daemon, "");
	}
	return err;
}
