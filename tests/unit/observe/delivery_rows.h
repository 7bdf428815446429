/* SPDX-License-Identifier: GPL-2.0-only */
/* Made-up readings, and what delivery_judge() makes of them. */
#ifndef DELIVERY_ROWS_H
#define DELIVERY_ROWS_H

#include "observe/delivery.h"
#include "tests/unit/unit.h"

/* The condition of an instance whose packets leave through the loopback interface. */
static inline struct datapath_condition good(void)
{
	struct datapath_condition condition = {.state = DATAPATH_ATTACHED, .mtu = 1500};

	strcpy(condition.info.listen, "lo");
	strcpy(condition.info.egress, "lo");
	condition.losses.counted = true;
	return condition;
}

/* `text`: the reasons, each on a line behind its severity. */
static inline void judge(struct health_watch *watch, const struct datapath_condition *condition,
			 char *text, size_t size)
{
	struct health health = {0};

	delivery_judge(&health, watch, condition, true);
	*text = '\0';
	for (size_t i = 0; i < health.count; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s: %s\n",
			 health_severity_name(health.reasons[i].severity), health.reasons[i].text);
}

/* Is the part in the text, or are both empty? If not, prints the row and returns 1. */
static inline int row_lacks(const char *sentence, const char *text, const char *part)
{
	if (*part ? !!strstr(text, part) : !*text)
		return 0;
	return row_differs(sentence, text, part);
}

#define ERROR_REASON    " packets ended as error: the program itself failed, or lost its way out of lo"
#define NO_ROUTE_REASON " packets ended as no_route: no route leads to their destination out of lo"
#define SILENT_REASON   " packets ended as no_route: their next hop on lo does not answer"
#define PASSED_REASON   " packets ended as passed: the kernel dropped them"
#define OVERSIZE_REASON                                                                       \
	" packets ended as oversize: they may not be fragmented, or cannot be here, and are " \
	"larger than"

/* The packets counted between two readings. */
struct counted {
	uint64_t redirected, error, no_route, neighbour_unknown, oversize, passed, dropped,
		truncated;
};

static inline void count(struct datapath_condition *condition, const struct counted *counted)
{
	struct counters *counters = &condition->counters;

	counters->verdict[VERDICT_REDIRECTED].packets += counted->redirected;
	counters->verdict[VERDICT_ERROR].packets += counted->error;
	counters->verdict[VERDICT_NO_ROUTE].packets += counted->no_route;
	counters->event[EVENT_NEIGHBOUR_UNKNOWN] += counted->neighbour_unknown;
	counters->verdict[VERDICT_OVERSIZE].packets += counted->oversize;
	counters->verdict[VERDICT_PASSED].packets += counted->passed;
	counters->event[EVENT_INNER_TRUNCATED] += counted->truncated;
	condition->losses.of[LOSS_PASSED].packets += counted->dropped;
}

#endif
