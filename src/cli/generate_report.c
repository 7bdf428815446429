// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <net/if.h>

#include <jansson.h>

#include "base/printable.h"
#include "cli/generate_report.h"

static uint32_t frame_bytes(const struct generator_options *options)
{
	return GENERATE_ENCAPSULATION + options->packet.inner_size;
}

static double rate(uint64_t count, double seconds)
{
	return seconds > 0 ? count / seconds : 0;
}

static void report_print_json(json_t *document, FILE *stream)
{
	json_dumpf(document, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	fputc('\n', stream);
	json_decref(document);
}

static void sent_json(const struct generator_options *options,
		      const struct generator_report *report, FILE *stream)
{
	report_print_json(
		json_pack("{s:s, s:I, s:I, s:f, s:f, s:I, s:b, s:f, s:I, s:i, s:i, s:i, s:i, "
			  "s:i}",
			  "interface", options->interface, "packets", (json_int_t)report->packets,
			  "bytes", (json_int_t)report->packets * frame_bytes(options), "seconds",
			  report->seconds, "pps", rate(report->packets, report->seconds),
			  "target_pps", (json_int_t)options->pps, "kept_pace", report->kept_pace,
			  "max_lag_seconds", report->max_lag, "transmitted",
			  (json_int_t)report->transmitted, "inner_size", options->packet.inner_size,
			  "frame_bytes", frame_bytes(options), "flows", options->packet.flows,
			  "vnis", options->packet.vnis, "threads", options->threads),
		stream);
}

static void sent_text(const struct generator_options *options,
		      const struct generator_report *report, FILE *stream)
{
	const double bytes = (double)report->packets * frame_bytes(options);
	char interface[IF_NAMESIZE];

	fprintf(stream, "sent         %" PRIu64 " packets in %.3f s: %.0f pps", report->packets,
		report->seconds, rate(report->packets, report->seconds));
	if (options->pps)
		fprintf(stream, " of %" PRIu64 " wanted", options->pps);
	fprintf(stream, "\nbytes        %.0f in frames of %" PRIu32 ": %.1f Mbit/s\n", bytes,
		frame_bytes(options), report->seconds > 0 ? bytes * 8 / 1e6 / report->seconds : 0);
	fprintf(stream, "transmitted  %" PRIu64 " packets by the count of %s\n",
		report->transmitted,
		printable_copy(interface, sizeof(interface), options->interface));
	if (options->pps)
		fprintf(stream, "pace         %s, at most %.1f ms late\n",
			report->kept_pace ? "kept" : "NOT kept", report->max_lag * 1e3);
}

void generate_report_sent(const struct generator_options *options,
			  const struct generator_report *report, bool json, FILE *stream)
{
	if (json)
		sent_json(options, report, stream);
	else
		sent_text(options, report, stream);
}

static const struct {
	const char *name;
	double percent;
} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};

static uint64_t lost_of(const struct receiver_report *report, uint64_t expected)
{
	if (expected > report->unique + report->lost)
		return expected - report->unique;
	return report->lost;
}

/* The buckets that are not empty: [[from, packets], ...] */
static json_t *histogram_json(const struct latency *latency)
{
	json_t *buckets = json_array();

	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
		if (latency->bucket[i])
			json_array_append_new(buckets,
					      json_pack("[I, I]",
							(json_int_t)latency_bucket_start(i),
							(json_int_t)latency->bucket[i]));
	}
	return buckets;
}

static json_t *latency_json(const struct latency *latency)
{
	json_t *json = json_pack("{s:I}", "samples", (json_int_t)latency->samples);

	if (!latency->samples)
		return json;
	json_object_set_new(json, "min", json_integer(latency->minimum));
	json_object_set_new(json, "mean", json_real(latency_mean(latency)));
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		json_object_set_new(json, percentiles[i].name,
				    json_integer(
					    latency_percentile(latency, percentiles[i].percent)));
	json_object_set_new(json, "max", json_integer(latency->maximum));
	json_object_set_new(json, "histogram", histogram_json(latency));
	return json;
}

static void received_json(const char *interface, const struct receiver_report *report,
			  uint64_t expected, FILE *stream)
{
	report_print_json(json_pack("{s:s, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
				    "s:{s:I, s:I}, s:o}",
				    "interface", interface, "packets", (json_int_t)report->packets,
				    "bytes", (json_int_t)report->bytes, "seconds", report->seconds,
				    "pps", rate(report->packets, report->seconds), "unique",
				    (json_int_t)report->unique, "lost",
				    (json_int_t)lost_of(report, expected), "lost_before_first",
				    (json_int_t)report->lost_before_first, "duplicates",
				    (json_int_t)report->duplicates, "reordered",
				    (json_int_t)report->reordered, "encapsulated",
				    (json_int_t)report->encapsulated, "other_runs",
				    (json_int_t)report->other_runs, "fragments", "first",
				    (json_int_t)report->first_fragments, "later",
				    (json_int_t)report->later_fragments, "latency_ns",
				    latency_json(&report->latency)),
			  stream);
}

static void latency_text(const struct receiver_report *report, FILE *stream)
{
	const struct latency *latency = &report->latency;

	if (!latency->samples) {
		fprintf(stream, "latency     unknown: %s\n",
			report->other_clock ? "the sender is on another host"
					    : "nothing was timed");
		return;
	}
	fprintf(stream, "latency     min %.1f us", latency->minimum / 1e3);
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		fprintf(stream, ", %s %.1f", percentiles[i].name,
			latency_percentile(latency, percentiles[i].percent) / 1e3);
	fprintf(stream, ", max %.1f us\n            of %" PRIu64 " timed packets\n",
		latency->maximum / 1e3, latency->samples);
}

static void received_text(const char *interface, const struct receiver_report *report,
			  uint64_t expected, FILE *stream)
{
	const uint64_t lost = lost_of(report, expected), sent = report->unique + lost;
	char shown[IF_NAMESIZE];

	fprintf(stream, "received    %" PRIu64 " packets on %s in %.3f s: %.0f pps\n",
		report->packets, printable_copy(shown, sizeof(shown), interface), report->seconds,
		rate(report->packets, report->seconds));
	fprintf(stream, "lost        %" PRIu64 " of %" PRIu64 " (%.4f %%)\n", lost, sent,
		sent ? 100.0 * lost / sent : 0);
	if (report->lost_before_first)
		fprintf(stream,
			"            %" PRIu64 " of them before the first that came: was the "
			"receiver started first?\n",
			report->lost_before_first);
	fprintf(stream, "duplicates  %" PRIu64 "\nreordered   %" PRIu64 "\n", report->duplicates,
		report->reordered);
	if (report->encapsulated)
		fprintf(stream, "in tunnel   %" PRIu64 " of them still encapsulated\n",
			report->encapsulated);
	if (report->first_fragments)
		fprintf(stream,
			"fragments   %" PRIu64 " packets came in fragments, with %" PRIu64
			" later fragments\n",
			report->first_fragments, report->later_fragments);
	if (report->other_runs)
		fprintf(stream, "other runs  %" PRIu64 " packets, not counted\n",
			report->other_runs);
	latency_text(report, stream);
}

void generate_report_received(const char *interface, const struct receiver_report *report,
			      uint64_t expected, bool json, FILE *stream)
{
	if (json)
		received_json(interface, report, expected, stream);
	else
		received_text(interface, report, expected, stream);
}
