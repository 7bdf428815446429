// SPDX-License-Identifier: GPL-2.0-only
#include "generate/latency.h"

void latency_merge(struct latency *latency, const struct latency *other)
{
	if (!other->samples)
		return;
	if (!latency->samples || other->minimum < latency->minimum)
		latency->minimum = other->minimum;
	if (other->maximum > latency->maximum)
		latency->maximum = other->maximum;
	latency->samples += other->samples;
	latency->sum += other->sum;
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
		latency->bucket[i] += other->bucket[i];
}

uint64_t latency_percentile(const struct latency *latency, double percent)
{
	const double wanted = latency->samples * percent / 100;
	uint64_t seen = 0, end;

	if (!latency->samples)
		return 0;
	for (uint32_t i = 0; i + 1 < LATENCY_BUCKETS; i++) {
		seen += latency->bucket[i];
		if (!seen || (double)seen < wanted)
			continue;
		end = latency_bucket_start(i + 1) - 1;
		return end < latency->maximum ? end : latency->maximum;
	}
	return latency->maximum;
}

double latency_mean(const struct latency *latency)
{
	return latency->samples ? (double)latency->sum / latency->samples : 0;
}
