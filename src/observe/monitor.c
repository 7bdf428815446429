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
		/* a sum of several may go back by what is counted while it is read */
#define X(name, meaning) rates.fresh.name = now->name > before->name ? now->name - before->name : 0;
		STATS_COUNTERS(X)
#undef X
		rates.seconds = seconds_between(&monitor->at, &at);
		rates.pps = rates.fresh.total_packets / rates.seconds;
		rates.vxlan_pps = rates.fresh.vxlan_packets / rates.seconds;
		rates.redirected_pps = rates.fresh.redirected / rates.seconds;
		rates.bits_per_second = rates.fresh.bytes_processed * 8 / rates.seconds;
		rates.nat_percent = rates.fresh.inner_packets ? 100.0 * rates.fresh.nat_applied /
									rates.fresh.inner_packets
							      : 0;
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

/* Frames that are not of the tunnel, such as ARP, are no traffic to be judged. */
static enum grade grade_of(const struct monitor *monitor, const struct monitor_rates *rates)
{
	if (!(rates->vxlan_pps > 0))
		return GRADE_IDLE;
	if (rates->pps >= monitor->target_pps)
		return GRADE_OK;
	return rates->pps >= monitor->warning_pps ? GRADE_LOW : GRADE_BELOW;
}

const char *monitor_grade_color(const struct monitor *monitor, const struct monitor_rates *rates)
{
	return grades[grade_of(monitor, rates)].color;
}

static void print_grade(const struct monitor *monitor, const struct monitor_rates *rates,
			FILE *stream)
{
	enum grade grade = grade_of(monitor, rates);

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
		rates->vxlan_pps, rates->nat_percent, rates->redirected_pps, rates->fresh.errors);
	print_grade(monitor, rates, stream);
}

/* "1,234,567". Returns `text`, which holds GROUPED_SIZE bytes. */
#define GROUPED_SIZE 32
static const char *group_digits(uint64_t number, char *text)
{
	char digits[GROUPED_SIZE];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, number), used = 0;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

static void dashboard_line(FILE *stream, const char *name, uint64_t value, const char *rest)
{
	char text[GROUPED_SIZE];

	fprintf(stream, "%-16s %16s%s\n", name, group_digits(value, text), rest);
}

void monitor_print_dashboard(const struct monitor *monitor, const struct monitor_rates *rates,
			     FILE *stream)
{
	const struct stats_counters *fresh = &rates->fresh;
	char rest[64], text[GROUPED_SIZE];

	fprintf(stream, "=== VXLAN Pipeline Statistics [%.0fs interval] ===\n", rates->seconds);
	snprintf(rest, sizeof(rest), " (%9s pps)", group_digits((uint64_t)rates->pps, text));
	dashboard_line(stream, "Total Packets:", fresh->total_packets, rest);
	snprintf(rest, sizeof(rest), " (%6.1f%%)",
		 fresh->total_packets
			 ? 100.0 * (double)fresh->vxlan_packets / (double)fresh->total_packets
			 : 0);
	dashboard_line(stream, "VXLAN Packets:", fresh->vxlan_packets, rest);
	dashboard_line(stream, "Inner Packets:", fresh->inner_packets, "");
	dashboard_line(stream, "NAT Applied:", fresh->nat_applied, "");
	dashboard_line(stream, "DF Bits Cleared:", fresh->df_cleared, "");
	dashboard_line(stream, "Forwarded:", fresh->forwarded, "");
	dashboard_line(stream, "Redirected:", fresh->redirected, " (XDP_REDIRECT)");
	dashboard_line(stream, "Errors:", fresh->errors, "");
	fprintf(stream, "%-16s %16.2f Mbps\n", "Throughput:", rates->bits_per_second / 1e6);
	fprintf(stream, "%-16s %16s ", "Status:", "");
	print_grade(monitor, rates, stream);
	fprintf(stream, "========================================\n");
	fflush(stream);
}
