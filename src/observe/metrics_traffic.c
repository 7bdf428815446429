// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "datapath/histogram.h"
#include "datapath/names.h"
#include "observe/drops.h"
#include "observe/metrics_text.h"
#include "observe/metrics_traffic.h"
#include "observe/sent.h"

static void print_verdicts(const struct counters *counters, FILE *stream)
{
	metrics_family(stream, "packets_total", "counter",
		       "Frames that reached the program, by what became of them.");
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		fprintf(stream, METRICS_PREFIX "packets_total{verdict=\"%s\"} %" PRIu64 "\n",
			verdict_name(v), (uint64_t)counters->verdict[v].packets);
	metrics_family(stream, "bytes_total", "counter",
		       "Bytes of the frames that reached the program, by what became of them, as "
		       "they came.");
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++)
		fprintf(stream, METRICS_PREFIX "bytes_total{verdict=\"%s\"} %" PRIu64 "\n",
			verdict_name(v), (uint64_t)counters->verdict[v].bytes);
	metrics_family(stream, "events_total", "counter", "What happened to packets on their way.");
	for (enum event event = 0; event < EVENT_COUNT; event++)
		fprintf(stream, METRICS_PREFIX "events_total{event=\"%s\"} %" PRIu64 "\n",
			event_name(event), (uint64_t)counters->event[event]);
}

static void print_drops(const struct counters *counters, const struct datapath_condition *condition,
			FILE *stream)
{
	metrics_family(stream, "dropped_packets_total", "counter",
		       "Packets that the program dropped, because the configuration asks for it or "
		       "by a fault.");
	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		enum drop_cause cause = drop_cause_of(v, condition);

		if (cause != DROP_NONE)
			fprintf(stream,
				METRICS_PREFIX "dropped_packets_total{verdict=\"%s\",cause=\"%s\"} "
					       "%" PRIu64 "\n",
				verdict_name(v), drop_cause_name(cause),
				(uint64_t)counters->verdict[v].packets);
	}
}

static void print_sum(FILE *stream, const char *name, uint64_t value, const char *help)
{
	metrics_family(stream, name, "counter", help);
	fprintf(stream, METRICS_PREFIX "%s %" PRIu64 "\n", name, value);
}

static void print_sent(const struct counters *counters, FILE *stream)
{
	struct sent sent = sent_derive(counters);

	print_sum(stream, "sent_packets_total", sent.packets,
		  "Packets that the program sent or passed to the kernel, decapsulated; each "
		  "fragment is one.");
	print_sum(
		stream, "sent_bytes_total", sent.bytes,
		"Bytes of the frames that the program sent or passed to the kernel, as they left.");
	print_sum(stream, "fragments_total", sent.fragments, "Fragments that the program made.");
}

/* One CPU may count between two readings of its counters: the total is that of the buckets. */
static void print_sizes(const struct histograms *histograms, FILE *stream)
{
	uint64_t total = 0;

	metrics_family(stream, "packet_size_bytes", "histogram",
		       "Sizes of the frames that reached the program, as they came "
		       "(monitor.histograms).");
	for (size_t i = 0; i < HISTOGRAM_SIZE_BOUNDS; i++) {
		total += histograms->size[i];
		fprintf(stream,
			METRICS_PREFIX "packet_size_bytes_bucket{le=\"%" PRIu32 "\"} %" PRIu64 "\n",
			histogram_size_bound[i], total);
	}
	total += histograms->size[HISTOGRAM_SIZE_BOUNDS];
	fprintf(stream,
		METRICS_PREFIX "packet_size_bytes_bucket{le=\"+Inf\"} %" PRIu64 "\n" METRICS_PREFIX
			       "packet_size_bytes_sum %" PRIu64 "\n" METRICS_PREFIX
			       "packet_size_bytes_count %" PRIu64 "\n",
		total, (uint64_t)histograms->size_sum, total);
}

static void print_times(const struct histograms *histograms, FILE *stream)
{
	uint64_t total = 0;

	metrics_family(stream, "program_duration_seconds", "histogram",
		       "Time that the program took for a packet, of one packet in 1024 "
		       "(monitor.histograms).");
	for (unsigned int i = 0; i < TIME_BUCKETS - 1; i++) {
		total += histograms->time[i];
		fprintf(stream,
			METRICS_PREFIX "program_duration_seconds_bucket{le=\"%.9g\"} %" PRIu64 "\n",
			(double)(TIME_FIRST_NS << i) / 1e9, total);
	}
	total += histograms->time[TIME_BUCKETS - 1];
	fprintf(stream,
		METRICS_PREFIX "program_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64
			       "\n" METRICS_PREFIX
			       "program_duration_seconds_sum %.15g\n" METRICS_PREFIX
			       "program_duration_seconds_count %" PRIu64 "\n",
		total, (double)histograms->time_sum / 1e9, total);
}

void metrics_print_traffic(const struct counters *counters,
			   const struct datapath_condition *condition, FILE *stream)
{
	print_verdicts(counters, stream);
	print_drops(counters, condition, stream);
	print_sent(counters, stream);
	print_sizes(&counters->histograms, stream);
	print_times(&counters->histograms, stream);
}
