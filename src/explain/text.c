// SPDX-License-Identifier: GPL-2.0-only
#include "explain/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/names.h"
#include "explain/sandbox.h"

#define PLAIN  "\033[0m"
#define BOLD   "\033[1m"
#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define CYAN   "\033[36m"

/* With the largest MTU that XDP is used with (ENA: 9001, others: 9216) and two VLAN tags, in bytes. */
#define WIRE_FRAME (9216 + 14 + 2 * 4)

static void print_colored(const struct explain_text *text, const char *color, const char *format,
			  ...) __attribute__((format(printf, 3, 4)));

static void print_colored(const struct explain_text *text, const char *color, const char *format,
			  ...)
{
	va_list args;

	if (text->color)
		fputs(color, text->stream);
	va_start(args, format);
	vfprintf(text->stream, format, args);
	va_end(args);
	if (text->color)
		fputs(PLAIN, text->stream);
}

static const char *verdict_color(enum verdict verdict)
{
	static const char *const colors[] = {
		[VERDICT_CLASS_KERNEL] = CYAN,
		[VERDICT_CLASS_DROPPED] = YELLOW,
		[VERDICT_CLASS_ERROR] = RED,
		[VERDICT_CLASS_FORWARDED] = GREEN,
	};

	return colors[verdict_class(verdict)];
}

/* The first column of each line below a packet's headline. */
static void print_label(const struct explain_text *text, const char *label)
{
	print_colored(text, DIM, "    %-9s", label);
}

void explain_text_begin(const struct explain_text *text, const char *file,
			const struct config *config)
{
	char name[512];

	fprintf(text->stream, "%s\n", explain_escape(file, name, sizeof(name)));
	fprintf(text->stream, "In through %s",
		explain_escape(config->listen.interface, name, sizeof(name)));
	fprintf(text->stream, ", out through %s (MTU %u).\n",
		explain_escape(config->forward.interface, name, sizeof(name)), text->mtu);
	fprintf(text->stream, "Interfaces and next hops are simulated: every destination is "
			      "reached\nthrough a simulated gateway " SANDBOX_GATEWAY_MAC ".\n");
}

static void print_time(const struct explain_text *text, const struct timespec *time)
{
	char date[64];
	struct tm broken;

	if (gmtime_r(&time->tv_sec, &broken) &&
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &broken))
		fprintf(text->stream, "%s.%09ldZ", date, time->tv_nsec);
	else
		fprintf(text->stream, "%lld.%09ld s", (long long)time->tv_sec, time->tv_nsec);
}

static void print_headline(const struct explain_text *text, const struct explanation *explanation)
{
	const struct capture_packet *packet = &explanation->packet;

	fputc('\n', text->stream);
	print_colored(text, BOLD, "#%" PRIu64, explanation->number);
	fputs("  ", text->stream);
	print_time(text, &packet->time);
	fprintf(text->stream, "  %zu bytes\n", packet->length);
	if (packet->captured < packet->length) {
		print_label(text, "note");
		print_colored(text, YELLOW, "the capture kept only %zu of %zu bytes",
			      packet->captured, packet->length);
		fputs("; the program sees those, and may judge the whole otherwise\n",
		      text->stream);
	}
	if (packet->length > WIRE_FRAME) {
		print_label(text, "note");
		print_colored(text, YELLOW, "longer than any frame on a wire");
		fputs(": the host that captured it had joined packets before\n"
		      "             (GRO, TSO); in native mode `run` gets each of them alone\n",
		      text->stream);
	}
}

static void print_arrival(const struct explain_text *text, const struct explanation *explanation)
{
	print_label(text, explanation->has_inner ? "outer" : "arrived");
	fprintf(text->stream, "%s\n", explanation->outer.summary);
	if (explanation->has_inner) {
		print_label(text, "inner");
		fprintf(text->stream, "%s\n", explanation->inner.summary);
	}
}

static void text_print_rule(const struct explain_text *text, const struct explanation *explanation)
{
	char to[ADDR_TEXT_SIZE];

	if (explanation->outcome.trace.vni == VNI_NONE)
		return;
	print_label(text, "vni");
	fprintf(text->stream, "%" PRIu32 "\n", explanation->outcome.trace.vni);
	print_label(text, "rule");
	if (explanation->rule)
		fprintf(text->stream, "%" PRIu32 " (%s), to %s\n", explanation->outcome.trace.rule,
			explanation->rule_name, ip_endpoint_format(&explanation->rule->to, to));
	else
		fputs("none\n", text->stream);
}

static void print_events(const struct explain_text *text, uint32_t events)
{
	const char *label = "events";

	for (unsigned int event = 0; event < EVENT_COUNT; event++) {
		if (!(events >> event & 1))
			continue;
		print_label(text, label);
		fprintf(text->stream, "%s: %s\n", event_name(event), event_meaning(event));
		label = "";
	}
}

static void print_value(const struct explain_text *text, const struct dissect_field *field)
{
	const char *status;

	if (!field) {
		fputs("(not there)", text->stream);
		return;
	}
	fputs(field->text, text->stream);
	status = dissect_checksum_name(field->checksum);
	if (field->checksum == DISSECT_WRONG)
		print_colored(text, RED, " (wrong, 0x%04x would be right)", field->right);
	else if (status)
		fprintf(text->stream, " (%s)", status);
}

static void print_change(const struct explain_text *text, const struct explain_change *change)
{
	const struct dissect_field *field = change->from ? change->from : change->to;
	char name[64];

	if (field->number > 1)
		snprintf(name, sizeof(name), "%s#%u", field->name, field->number);
	else
		snprintf(name, sizeof(name), "%s", field->name);
	fprintf(text->stream, "             %-14s ", name);
	print_value(text, change->from);
	fputs(" -> ", text->stream);
	print_value(text, change->to);
	fputc('\n', text->stream);
}

static void print_remark(const struct explain_text *text, const char *remark)
{
	fprintf(text->stream, "             %s\n", remark);
}

/* The verdict does not say why XDP did not send it. */
static void print_scattered(const struct explain_text *text, const struct trace *trace)
{
	if (trace->scattered &&
	    (trace->verdict == VERDICT_PASSED || trace->verdict == VERDICT_OVERSIZE))
		print_remark(text, "it comes in several buffers (multi-buffer XDP), which XDP "
				   "neither fragments nor redirects");
}

/* Nor why the kernel got it. */
static void print_passed(const struct explain_text *text, const struct explanation *explanation)
{
	const struct dissect_field *length =
		dissect_find(&explanation->outs[0].fields, "ip.len", 1);

	if (explanation->outcome.trace.verdict != VERDICT_PASSED)
		return;
	if (length && strtoul(length->text, NULL, 10) > text->mtu)
		print_remark(text, "larger than the MTU: the kernel is to fragment it");
	print_remark(text, "by the source MAC nftables knows that the kernel must not answer it; "
			   "a running instance has another one");
}

static void print_out(const struct explain_text *text, const struct explain_out *out)
{
	print_label(text, "leaves");
	fprintf(text->stream, "%s (%zu bytes)\n", out->fields.summary, out->length);
	for (size_t i = 0; i < out->change_count; i++)
		print_change(text, &out->changes[i]);
	fputs("             ", text->stream);
	if (out->payload_changed)
		print_colored(text, RED, "THE PAYLOAD CHANGED, which it never should: a defect");
	else
		fprintf(text->stream, "%spayload as it came (%zu bytes)",
			out->change_count ? "" : "no field changed, ", out->fields.payload_length);
	fputc('\n', text->stream);
}

static void print_departure(const struct explain_text *text, const struct explanation *explanation)
{
	const struct explain_out *first = &explanation->outs[0];

	if (!explanation->out_count)
		return;
	if (!explain_forwarded(explanation) && !first->change_count && !first->payload_changed)
		return; /* the verdict says it: untouched */
	for (size_t i = 0; i < explanation->out_count; i++)
		print_out(text, &explanation->outs[i]);
	print_passed(text, explanation);
}

void explain_text_packet(const struct explain_text *text, const struct explanation *explanation)
{
	enum verdict verdict = explanation->outcome.trace.verdict;

	print_headline(text, explanation);
	print_arrival(text, explanation);
	if (*explanation->problem) {
		print_label(text, "not run");
		print_colored(text, RED, "%s", explanation->problem);
		fputc('\n', text->stream);
		return;
	}
	text_print_rule(text, explanation);
	print_events(text, explanation->outcome.trace.events);
	print_label(text, "verdict");
	print_colored(text, verdict_color(verdict), "%s", verdict_name(verdict));
	fprintf(text->stream, ": %s\n", verdict_meaning(verdict));
	print_scattered(text, &explanation->outcome.trace);
	print_departure(text, explanation);
}

void explain_text_end(const struct explain_text *text, const struct explain_totals *totals)
{
	fprintf(text->stream, "\n%-16s %10s\n", "VERDICT", "PACKETS");
	for (enum verdict verdict = VERDICT_GO_ON + 1; verdict < VERDICT_COUNT; verdict++) {
		if (!totals->verdicts[verdict])
			continue;
		print_colored(text, verdict_color(verdict), "%-16s", verdict_name(verdict));
		fprintf(text->stream, " %10" PRIu64 "  %s\n", totals->verdicts[verdict],
			verdict_meaning(verdict));
	}
	if (totals->not_run)
		fprintf(text->stream, "%-16s %10" PRIu64 "\n", "(not run)", totals->not_run);
	fprintf(text->stream, "%-16s %10" PRIu64 "\n", "total", totals->packets);
}
