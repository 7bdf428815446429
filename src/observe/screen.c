// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "datapath/names.h"
#include "observe/screen.h"
#include "observe/top.h"

#define MAX_REASONS  4
#define MAX_VERDICTS 8
#define MAX_LOSSES   4
#define MAX_TOP      10

#define COLOR_OFF    "\033[0m"
#define COLOR_BOLD   "\033[1m"
#define COLOR_GREEN  "\033[32m"
#define COLOR_YELLOW "\033[33m"
#define COLOR_RED    "\033[31m"

/* The screen while it is written. */
struct canvas {
	const struct screen *screen;
	FILE *stream;
	unsigned int width;
	unsigned int height;
	unsigned int line; /* so many are written */
};

/* One line in one colour, cut to the width; "" for none. Everything but printable ASCII becomes '?'. */
static void canvas_line(struct canvas *canvas, const char *color, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void canvas_line(struct canvas *canvas, const char *color, const char *format, ...)
{
	bool colored = canvas->screen->color && *color;
	char text[SCREEN_LINE];
	va_list args;

	if (canvas->line == canvas->height)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* not by newlines, of which terminals make more than one thing, and the last line a scroll */
	fprintf(canvas->stream, "\033[%u;1H", ++canvas->line);
	if (colored)
		fputs(color, canvas->stream);
	/* in the last column of a line terminals differ in where the cursor is */
	for (unsigned int i = 0; text[i] && i + 1 < canvas->width; i++)
		fputc(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?', canvas->stream);
	fputs(colored ? COLOR_OFF "\033[K" : "\033[K", canvas->stream);
}

static const char *severity_color(enum health_severity severity)
{
	static const char *const colors[] = {
		[HEALTH_GOOD] = COLOR_GREEN,
		[HEALTH_DEGRADED] = COLOR_YELLOW,
		[HEALTH_BAD] = COLOR_RED,
	};

	return colors[severity];
}

static void draw_title(struct canvas *canvas)
{
	const struct look *now = canvas->screen->now;
	const struct instance_info *info = &now->stats.info;
	uint64_t up = (uint64_t)stats_uptime(info);

	canvas_line(canvas, COLOR_BOLD,
		    "instance %s: %s -> %s, %s mode, for %" PRIu64 " d %02u:%02u:%02u   (q ends)",
		    canvas->screen->instance, info->listen, info->egress, stats_mode(info),
		    up / 86400, (unsigned int)(up / 3600 % 24), (unsigned int)(up / 60 % 60),
		    (unsigned int)(up % 60));
}

static void draw_health(struct canvas *canvas)
{
	const struct health *health = &canvas->screen->now->health;
	enum health_severity condition = health_condition(health);

	canvas_line(canvas, severity_color(condition), "health %s",
		    health_severity_name(condition));
	for (size_t i = 0; i < health->count && i < MAX_REASONS; i++)
		canvas_line(canvas, severity_color(health->reasons[i].severity), "  %s",
			    health->reasons[i].text);
	if (health->count > MAX_REASONS)
		canvas_line(canvas, "", "  and %zu more: vxlan-pipeline status",
			    health->count - MAX_REASONS);
}

static void draw_history(struct canvas *canvas)
{
	const struct screen *screen = canvas->screen;
	char *header = NULL;
	size_t size;
	FILE *stream = open_memstream(&header, &size);

	canvas_line(canvas, "", "%s", "");
	if (stream) {
		monitor_print_header(stream);
		if (fclose(stream) == 0)
			canvas_line(canvas, COLOR_BOLD, "%.*s", (int)strcspn(header, "\n"), header);
		free(header);
	}
	for (size_t i = 0; i < SCREEN_HISTORY && *screen->history[i].text; i++)
		canvas_line(canvas, screen->history[i].color, "%s", screen->history[i].text);
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static const char *class_color(enum verdict verdict)
{
	switch (verdict_class(verdict)) {
	case VERDICT_CLASS_ERROR:
		return COLOR_RED;
	case VERDICT_CLASS_DROPPED:
		return COLOR_YELLOW;
	default:
		return "";
	}
}

/* VERDICT_GO_ON: none has packets. */
static enum verdict most_frequent(const uint64_t packets[VERDICT_COUNT])
{
	enum verdict most = VERDICT_GO_ON;

	for (enum verdict v = VERDICT_GO_ON + 1; v < VERDICT_COUNT; v++) {
		if (packets[v] && (most == VERDICT_GO_ON || packets[v] > packets[most]))
			most = v;
	}
	return most;
}

/* What becomes of packets now, the most frequent first. */
static void draw_verdicts(struct canvas *canvas)
{
	const struct counters *now = &canvas->screen->now->stats.counters;
	const struct counters *before = &canvas->screen->before->stats.counters;
	double seconds = canvas->screen->seconds;
	uint64_t fresh[VERDICT_COUNT], bytes;
	enum verdict most;

	for (enum verdict v = 0; v < VERDICT_COUNT; v++)
		fresh[v] = grown(now->verdict[v].packets, before->verdict[v].packets);
	most = most_frequent(fresh);
	canvas_line(canvas, "", "%s", "");
	if (most == VERDICT_GO_ON)
		canvas_line(canvas, "", "no packets came");
	else
		canvas_line(canvas, COLOR_BOLD, "%-24s %12s %12s", "VERDICT", "PPS", "MBIT/S");
	for (unsigned int row = 0; row < MAX_VERDICTS && most != VERDICT_GO_ON; row++) {
		bytes = grown(now->verdict[most].bytes, before->verdict[most].bytes);
		canvas_line(canvas, class_color(most), "%-24s %12.0f %12.2f  %s",
			    verdict_name(most), (double)fresh[most] / seconds,
			    8e-6 * (double)bytes / seconds, verdict_meaning(most));
		fresh[most] = 0;
		most = most_frequent(fresh);
	}
}

/* What that row had in the reading before. */
static uint64_t lost_before(const struct loss_table *before, const struct loss_row *row)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct loss_row *old = &before->rows[i];

		if (old->place == row->place && strcmp(old->interface, row->interface) == 0 &&
		    strcmp(old->reason, row->reason) == 0)
			return old->packets;
	}
	return row->packets;
}

/* Those of the program are verdicts. First what is being lost, then what was. */
static void draw_losses(struct canvas *canvas)
{
	const struct loss_table *now = &canvas->screen->now->losses;
	unsigned int shown = 0;

	canvas_line(canvas, "", "%s", "");
	for (int losing = 1; losing >= 0; losing--) {
		for (size_t i = 0; i < now->count && shown < MAX_LOSSES; i++) {
			const struct loss_row *row = &now->rows[i];
			uint64_t fresh = grown(row->packets,
					       lost_before(&canvas->screen->before->losses, row));

			if (!row->packets || row->place == LOSS_PLACE_PROGRAM ||
			    losing != (fresh > 0))
				continue;
			if (!shown++)
				canvas_line(canvas, COLOR_BOLD, "%-9s %-14s %12s %16s  %s",
					    "LOST AT", "INTERFACE", "PPS", "ALL IN ALL", "REASON");
			canvas_line(canvas, losing ? COLOR_RED : "",
				    "%-9s %-14s %12.0f %16" PRIu64 "  %s: %s",
				    loss_place_name(row->place),
				    *row->interface ? row->interface : "-",
				    (double)fresh / canvas->screen->seconds, row->packets,
				    row->reason, row->meaning);
		}
	}
	if (!shown)
		canvas_line(canvas, "", "nothing was lost on the way in or out%s",
			    canvas->screen->now->condition.losses.counted
				    ? ""
				    : ", as far as this kernel tells");
}

static void draw_next_hops(struct canvas *canvas)
{
	const size_t *hops = canvas->screen->now->condition.next_hops;
	bool silent = hops[NEXT_HOP_UNKNOWN] || hops[NEXT_HOP_FAILED];

	if (hops[NEXT_HOP_RESOLVED] || hops[NEXT_HOP_LOCAL] || silent)
		canvas_line(canvas, silent ? COLOR_YELLOW : "",
			    "next hops: %zu resolved, %zu failed, %zu unknown, %zu of this host",
			    hops[NEXT_HOP_RESOLVED], hops[NEXT_HOP_FAILED], hops[NEXT_HOP_UNKNOWN],
			    hops[NEXT_HOP_LOCAL]);
}

/* How many rows of `left` lines, of which some go to `tables` more tables with a title each. */
static size_t rows_of(const struct canvas *canvas, unsigned int tables)
{
	unsigned int left = canvas->height - canvas->line, titles = 2 * (tables + 1);
	unsigned int rows = left > titles ? (left - titles) / (tables + 1) : 0;

	return rows < MAX_TOP ? rows : MAX_TOP;
}

static void draw_rules(struct canvas *canvas)
{
	const struct screen *screen = canvas->screen;
	const struct datapath_stats *stats = &screen->now->stats;
	struct top_row rows[MAX_TOP];
	size_t count =
		top_rules(rows, rows_of(canvas, 1), stats, &screen->before->stats, screen->seconds);
	char to[ADDR_TEXT_SIZE];

	if (!count)
		return;
	canvas_line(canvas, "", "%s", "");
	canvas_line(canvas, COLOR_BOLD, "%-24s %12s %12s  %s", "RULE", "PPS", "MBIT/S", "TO");
	for (size_t i = 0; i < count; i++) {
		const struct datapath_rule *rule = &stats->rules[rows[i].index];

		canvas_line(canvas, "", "%-24s %12.0f %12.2f  %s", rule->name, rows[i].pps,
			    rows[i].bits_per_second / 1e6, ip_endpoint_format(&rule->to, to));
	}
}

static void draw_vnis(struct canvas *canvas)
{
	const struct screen *screen = canvas->screen;
	struct top_row rows[MAX_TOP];
	size_t count = top_vnis(rows, rows_of(canvas, 0), &screen->now->stats,
				&screen->before->stats, screen->seconds);

	if (!count)
		return;
	canvas_line(canvas, "", "%s", "");
	canvas_line(canvas, COLOR_BOLD, "%-24s %12s %12s", "VNI", "PPS", "MBIT/S");
	for (size_t i = 0; i < count; i++)
		canvas_line(canvas, "", "%-24" PRIu32 " %12.0f %12.2f",
			    screen->now->stats.vnis[rows[i].index].vni, rows[i].pps,
			    rows[i].bits_per_second / 1e6);
}

void screen_note_rates(struct screen *screen, const struct monitor *monitor,
		       const struct monitor_rates *rates)
{
	struct monitor plain = *monitor;
	struct screen_rates *head = &screen->history[0];
	FILE *stream;

	memmove(head + 1, head, (SCREEN_HISTORY - 1) * sizeof(*head));
	memset(head, 0, sizeof(*head));
	plain.color = false;
	head->color = monitor_grade_color(monitor, rates);
	stream = fmemopen(head->text, sizeof(head->text) - 1, "w");
	if (!stream)
		return;
	monitor_print_line(&plain, rates, stream);
	fclose(stream);
	head->text[strcspn(head->text, "\n")] = '\0';
}

void screen_print(const struct screen *screen, unsigned int width, unsigned int height,
		  FILE *stream)
{
	struct canvas canvas = {.screen = screen,
				.stream = stream,
				.width = width,
				.height = height};

	if (screen->now) {
		draw_title(&canvas);
		draw_health(&canvas);
	} else {
		canvas_line(&canvas, COLOR_RED,
			    "instance %s: nothing is attached any more; waiting for it   (q ends)",
			    screen->instance);
	}
	draw_history(&canvas);
	if (screen->now && screen->before) {
		draw_verdicts(&canvas);
		draw_losses(&canvas);
		draw_next_hops(&canvas);
		draw_rules(&canvas);
		draw_vnis(&canvas);
	}
	/* what is left of the screen before */
	fputs("\033[J", stream);
}
