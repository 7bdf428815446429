// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "base/quote.h"

static const struct {
	const char *name;
	void (*judge)(const struct check *check);
	const char *good;
} checks[] = {
#define CHECK_ROW(name, good) {#name, check_##name, good},
	CHECKS(CHECK_ROW)
#undef CHECK_ROW
};

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

/* Nothing more can be said of interfaces that do not exist. */
static bool goes_on(const struct check *check)
{
	return strcmp(check->name, "interface") != 0 || (check->host->listen.exists == ANSWER_YES &&
							 check->host->forward.exists == ANSWER_YES);
}

void check_host(const struct host *host, const struct config *config, const char *instance,
		const char *options, struct findings *findings)
{
	struct check check = {
		.host = host,
		.config = config,
		.instance = instance,
		.options = options,
		.single_arm = strcmp(host->listen.name, host->forward.name) == 0,
		.listen = driver_of(host, &host->listen),
		.forward = driver_of(host, &host->forward),
		.findings = findings,
	};

	instance_unit(check.unit, instance);
	quote_word(check.listen_word, sizeof(check.listen_word), host->listen.name);
	quote_word(check.forward_word, sizeof(check.forward_word), host->forward.name);
	findings->count = 0;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		size_t before = findings->count;

		check.name = checks[i].name;
		checks[i].judge(&check);
		if (findings->count == before)
			check_find(&check, FINDING_OK, "%s", checks[i].good);
		if (!goes_on(&check))
			break;
	}
}

size_t check_count(const struct findings *findings, enum finding_status status)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->count; i++)
		count += findings->list[i].status == status;
	return count;
}
