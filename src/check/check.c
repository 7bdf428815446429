// SPDX-License-Identifier: GPL-2.0-only
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
		.listen = host_link_driver(host, &host->listen),
		.forward = host_link_driver(host, &host->forward),
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

void check_forgive_waiting(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct finding *finding = &findings->list[i];

		/* an interface that is not there, or whose MTU is not set yet */
		if (finding->status == FINDING_FAIL && (strcmp(finding->check, "interface") == 0 ||
							strcmp(finding->check, "forward_mtu") == 0))
			finding->status = FINDING_WARN;
	}
}

size_t check_count(const struct findings *findings, enum finding_status status)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->count; i++)
		count += findings->list[i].status == status;
	return count;
}
