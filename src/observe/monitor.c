// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "observe/monitor.h"

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (to->tv_nsec - from->tv_nsec) / 1e9;
}

struct monitor_rates monitor_take(struct monitor *monitor, const struct counters *counters)
{
	struct monitor_rates rates = {.counters = stats_derive(counters)};
	const struct stats_counters *now = &rates.counters, *before = &monitor->before;
	bool first = !monitor->at.tv_sec && !monitor->at.tv_nsec;
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	/* counters that went back are those of a new instance */
	if (!first && now->total_packets >= before->total_packets) {
		uint64_t inner = now->inner_packets - before->inner_packets;
		uint64_t nat = now->nat_applied - before->nat_applied;

		rates.seconds = seconds_between(&monitor->at, &at);
		rates.pps = (now->total_packets - before->total_packets) / rates.seconds;
		rates.vxlan_pps = (now->vxlan_packets - before->vxlan_packets) / rates.seconds;
		rates.redirected_pps = (now->redirected - before->redirected) / rates.seconds;
		rates.bits_per_second =
			(now->bytes_processed - before->bytes_processed) * 8 / rates.seconds;
		rates.nat_percent = inner ? 100.0 * nat / inner : 0;
		rates.errors = now->errors - before->errors;
	}
	monitor->before = rates.counters;
	monitor->at = at;
	return rates;
}

static const struct {
	const char *name;
	const char *color;
} grades[] = {
	{"OK", "\033[32m"},
	{"LOW", "\033[33m"},
	{"BELOW", "\033[31m"},
	{"IDLE", ""},
};

enum grade { GRADE_OK, GRADE_LOW, GRADE_BELOW, GRADE_IDLE };

static enum grade grade_of(const struct monitor *monitor, double pps)
{
	if (pps <= 0)
		return GRADE_IDLE;
	if (pps >= monitor->target_pps)
		return GRADE_OK;
	return pps >= monitor->warning_pps ? GRADE_LOW : GRADE_BELOW;
}

static void print_grade(const struct monitor *monitor, double pps, FILE *stream)
{
	enum grade grade = grade_of(monitor, pps);

	if (monitor->color && *grades[grade].color)
		fprintf(stream, "%s%s\033[0m\n", grades[grade].color, grades[grade].name);
	else
		fprintf(stream, "%s\n", grades[grade].name);
}

void monitor_print_header(FILE *stream)
{
	fprintf(stream, "%-8s %10s %10s %8s %10s %8s %s\n", "TIME", "PPS", "VXLAN_PPS", "NAT_HIT%",
		"REDIRECTED", "ERRORS", "STATUS");
}

void monitor_print_line(const struct monitor *monitor, const struct monitor_rates *rates,
			FILE *stream)
{
	time_t now = time(NULL);
	struct tm local;
	char clock[16];

	localtime_r(&now, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	fprintf(stream, "%-8s %10.0f %10.0f %7.1f%% %10.0f %8" PRIu64 " ", clock, rates->pps,
		rates->vxlan_pps, rates->nat_percent, rates->redirected_pps, rates->errors);
	print_grade(monitor, rates->pps, stream);
}

static void dashboard_line(FILE *stream, const char *name, uint64_t value, const char *rest)
{
	fprintf(stream, "%-20s %16" PRIu64 "%s\n", name, value, rest);
}

void monitor_print_dashboard(const struct monitor *monitor, const struct monitor_rates *rates,
			     FILE *stream)
{
	const struct stats_counters *counters = &rates->counters;
	double vxlan = counters->total_packets
			       ? 100.0 * counters->vxlan_packets / counters->total_packets
			       : 0;
	char rest[64];

	fprintf(stream, "=== vxlan-pipeline statistics [%.0f s interval] ===\n", rates->seconds);
	snprintf(rest, sizeof(rest), "  (%.0f pps)", rates->pps);
	dashboard_line(stream, "Total packets:", counters->total_packets, rest);
	snprintf(rest, sizeof(rest), "  (%.1f%%)", vxlan);
	dashboard_line(stream, "VXLAN packets:", counters->vxlan_packets, rest);
	dashboard_line(stream, "Inner packets:", counters->inner_packets, "");
	dashboard_line(stream, "NAT applied:", counters->nat_applied, "");
	dashboard_line(stream, "DF bits cleared:", counters->df_cleared, "");
	dashboard_line(stream, "Forwarded:", counters->forwarded, "");
	dashboard_line(stream, "Redirected:", counters->redirected, "");
	dashboard_line(stream, "Errors:", counters->errors, "");
	fprintf(stream, "%-20s %16.2f Mbit/s\n", "Throughput:", rates->bits_per_second / 1e6);
	fprintf(stream, "%-20s %16s ", "Status:", "");
	print_grade(monitor, rates->pps, stream);
	fflush(stream);
}
