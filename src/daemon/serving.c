// SPDX-License-Identifier: GPL-2.0-only
/* Serves HTTP beside the datapath: a failure is a reason of health, and delays nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/privilege.h"
#include "base/refusal.h"
#include "daemon/internal.h"

#define RETRY_MS 1000

/* `before`: why HTTP was not served until now. The health job logs the new reason. */
static void tell_serving(struct daemon *daemon, const struct error *before)
{
	const struct web *web = &daemon->web;

	if (strcmp(web->why.text, before->text) == 0)
		return;
	if (!web->err && *web->listen)
		log_info("HTTP is served on %s", web->listen);
	snprintf(daemon->reloads.unserved, sizeof(daemon->reloads.unserved), "%s", web->why.text);
	daemon_note_reloads(daemon);
}

void daemon_serve(struct daemon *daemon)
{
	const struct error before = daemon->web.why;
	struct error failure;

	web_move(&daemon->web, daemon->config.http.listen);
	refusal_lift_limit();
	/* the server's thread inherits the capabilities of this one */
	if (privilege_drop(&failure))
		log_warning("%s", failure.text);
	web_serve(&daemon->web);
	tell_serving(daemon, &before);
}

int64_t daemon_serve_again(struct daemon *daemon, int64_t now)
{
	const struct error before = daemon->web.why;

	web_retry(&daemon->web);
	tell_serving(daemon, &before);
	return now + RETRY_MS;
}
