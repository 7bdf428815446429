// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "host/internal.h"
#include "instance/bpffs.h"

void host_read(struct host *host, const struct config *config, const char *instance)
{
	host_init(host);
	if (instance_follow_daemon(instance))
		host->pins_at_risk = instance_bpffs_doubt(instance) ? ANSWER_YES : ANSWER_NO;
	strcpy(host->listen.name, config->listen.interface);
	strcpy(host->forward.name, config->forward.interface);
	host_read_system(host);
	host_read_link(&host->listen, instance);
	if (strcmp(host->listen.name, host->forward.name) != 0)
		host_read_link(&host->forward, instance);
	host_read_reach(host, config, instance);
	host_read_log(host);
	host_read_metadata(host);
	if (strcmp(host->listen.name, host->forward.name) == 0)
		host->forward = host->listen;
}
