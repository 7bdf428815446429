// SPDX-License-Identifier: GPL-2.0-only
#include "datapath/names.h"
#include "observe/drops.h"

const char *drop_cause_name(enum drop_cause cause)
{
	static const char *const names[] = {
		[DROP_NONE] = "none",
		[DROP_CONFIGURATION] = "configuration",
		[DROP_FAULT] = "fault",
	};

	return names[cause];
}

enum drop_cause drop_cause_of(enum verdict verdict, const struct datapath_condition *condition)
{
	/* larger than may be sent: a fault, unless forward.oversize says drop */
	if (verdict == VERDICT_OVERSIZE)
		return condition->oversize == OVERSIZE_DROP ? DROP_CONFIGURATION : DROP_FAULT;
	switch (verdict_class(verdict)) {
	case VERDICT_CLASS_DROPPED:
		return DROP_CONFIGURATION;
	case VERDICT_CLASS_ERROR:
		return DROP_FAULT;
	default:
		return DROP_NONE;
	}
}

uint64_t drops_sum(const struct counters *counters, const struct datapath_condition *condition,
		   enum drop_cause cause)
{
	uint64_t sum = 0;

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		if (drop_cause_of(v, condition) == cause)
			sum += counters->verdict[v].packets;
	}
	return sum;
}
