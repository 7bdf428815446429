// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include <jansson.h>

#include "generate_report.h"

static uint32_t frame_bytes(const struct generator_options *options)
{
	return GENERATE_ENCAPSULATION + options->packet.inner_size;
}

static double rate(uint64_t count, double seconds)
{
	return seconds > 0 ? count / seconds : 0;
}

static void print_json(json_t *document, FILE *stream)
{
	json_dumpf(document, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	fputc('\n', stream);
	json_decref(document);
}

static void sent_json(const struct generator_options *options,
		      const struct generator_report *report, FILE *stream)
{
	print_json(json_pack("{s:s, s:I, s:I, s:f, s:f, s:I, s:b, s:f, s:I, s:i, s:i, s:i, s:i, "
			     "s:i}",
			     "interface", options->interface, "packets",
			     (json_int_t)report->packets, "bytes",
			     (json_int_t)report->packets * frame_bytes(options), "seconds",
			     report->seconds, "pps", rate(report->packets, report->seconds),
			     "target_pps", (json_int_t)options->pps, "kept_pace",
			     report->kept_pace, "max_lag_seconds",
			     report->max_lag, "transmitted", (json_int_t)report->transmitted,
			     "inner_size", options->packet.inner_size, "frame_bytes",
			     frame_bytes(options), "flows", options->packet.flows, "vnis",
			     options->packet.vnis, "threads", options->threads),
		   stream);
}

static void sent_text(const struct generator_options *options,
		      const struct generator_report *report, FILE *stream)
{
	const double bytes = (double)report->packets * frame_bytes(options);

	fprintf(stream, "sent         %" PRIu64 " packets in %.3f s: %.0f pps", report->packets,
		report->seconds, rate(report->packets, report->seconds));
	if (options->pps)
		fprintf(stream, " of %" PRIu64 " wanted", options->pps);
	fprintf(stream, "\nbytes        %.0f in frames of %" PRIu32 ": %.1f Mbit/s\n", bytes,
		frame_bytes(options),
		report->seconds > 0 ? bytes * 8 / 1e6 / report->seconds : 0);
	fprintf(stream, "transmitted  %" PRIu64 " packets by the count of %s\n",
		report->transmitted, options->interface);
	if (options->pps)
		fprintf(stream, "pace         %s, at most %.1f ms late\n",
			report->kept_pace ? "kept" : "NOT kept",
			report->max_lag * 1e3);
}

void generate_report_sent(const struct generator_options *options,
			  const struct generator_report *report, bool json, FILE *stream)
{
	if (json)
		sent_json(options, report, stream);
	else
		sent_text(options, report, stream);
}
