// SPDX-License-Identifier: GPL-2.0-only
/* How a check says what it found. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check/internal.h"

struct finding *check_find(const struct check *check, enum finding_status status,
			   const char *format, ...)
{
	struct findings *findings = check->findings;
	/* more than there is room for cannot be found; should it be, the last one gives way */
	struct finding *finding =
		&findings->list[findings->count < CHECK_MAX_FINDINGS ? findings->count++
								     : CHECK_MAX_FINDINGS - 1];
	va_list args;

	finding->check = check->name;
	finding->status = status;
	va_start(args, format);
	vsnprintf(finding->why, sizeof(finding->why), format, args);
	va_end(args);
	*finding->fix = '\0';
	return finding;
}

void check_fix(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->fix, sizeof(finding->fix), format, args);
	va_end(args);
}

enum finding_status check_native_status(const struct check *check)
{
	return check->config->listen.xdp_mode == XDP_MODE_NATIVE ? FINDING_FAIL : FINDING_WARN;
}

void check_each_link(const struct check *check,
		     void (*judge)(const struct check *check, const struct host_link *link,
				   const struct driver *driver))
{
	if (check->host->listen.exists == ANSWER_YES)
		judge(check, &check->host->listen, &check->listen);
	if (!check->single_arm && check->host->forward.exists == ANSWER_YES)
		judge(check, &check->host->forward, &check->forward);
}

const char *check_word(const struct check *check, const struct host_link *link)
{
	return link == &check->host->listen ? check->listen_word : check->forward_word;
}

bool check_is_target(const struct config *config, int64_t rule, const char *address)
{
	char text[ADDR_TEXT_SIZE];

	return rule >= 1 && (uint64_t)rule <= config->rule_count &&
	       strcmp(ip_address_format(&config->rules[rule - 1].to.address, text), address) == 0;
}
