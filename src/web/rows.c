// SPDX-License-Identifier: GPL-2.0-only
/* Rows of the tables of rules and VNIs: a few of any number. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "observe/stats.h"
#include "web/render.h"

#define TOP_ROWS  10
#define NAME_SIZE 24

/* A rule or a VNI, as far as it has to be compared. */
struct row {
	uint32_t index; /* in stats.rules or stats.vnis; as many as there are VNIs: all others */
	uint32_t number;
	double pps; /* NAN: not known */
	double bytes_per_second;
	struct hits hits;
};

/* A table with all its rows, and how one of them is named and written. */
struct row_table {
	const struct watch_rows *from;
	const char *name; /* of the document's list, and of the order by number */
	const char *number;
	void (*fill)(const struct watch_rows *from, uint32_t index, struct row *row);
	bool (*holds)(const struct watch_rows *from, const struct row *row, const char *text);
	json_t *(*write)(const struct watch_rows *from, const struct row *row);
	size_t total;
};

static void row_rate(struct row *row, const struct hits *before, double seconds)
{
	row->pps = before ? watch_rate(before->packets, row->hits.packets, seconds) : NAN;
	row->bytes_per_second = before ? watch_rate(before->bytes, row->hits.bytes, seconds) : NAN;
}

static json_t *row_json(const struct row *row)
{
	return json_pack("{s:I, s:I, s:o, s:o}", "packets", (json_int_t)row->hits.packets, "bytes",
			 (json_int_t)row->hits.bytes, "pps", render_rate(row->pps),
			 "bits_per_second", render_rate(row->bytes_per_second * 8));
}

/* ---- rules ---- */

static void fill_rule(const struct watch_rows *from, uint32_t index, struct row *row)
{
	*row = (struct row){.index = index,
			    .number = index + 1,
			    .hits = from->stats.rules[index].hits};
	row_rate(row, from->rules_before ? &from->rules_before[index] : NULL, from->seconds);
}

static bool rule_holds(const struct watch_rows *from, const struct row *row, const char *text)
{
	const struct datapath_rule *rule = &from->stats.rules[row->index];
	char to[ADDR_TEXT_SIZE];

	return strcasestr(rule->name, text) || strcasestr(ip_endpoint_format(&rule->to, to), text);
}

static json_t *write_rule(const struct watch_rows *from, const struct row *row)
{
	const struct datapath_rule *rule = &from->stats.rules[row->index];
	json_t *object = row_json(row);
	char to[ADDR_TEXT_SIZE];

	json_object_set_new(object, "rule", json_integer(row->number));
	json_object_set_new(object, "name", json_string(rule->name));
	json_object_set_new(object, "to", json_string(ip_endpoint_format(&rule->to, to)));
	return object;
}

static struct row_table rules_of(const struct watch_rows *rows)
{
	return (struct row_table){.from = rows,
				  .name = "rules",
				  .number = "rule",
				  .fill = fill_rule,
				  .holds = rule_holds,
				  .write = write_rule,
				  .total = rows->stats.rule_count};
}

/* ---- VNIs ---- */

static void fill_vni(const struct watch_rows *from, uint32_t index, struct row *row)
{
	const struct datapath_vni *vni = &from->stats.vnis[index];

	*row = (struct row){.index = index, .number = vni->vni, .hits = vni->hits};
	row_rate(row, watch_vni_before(from, vni->vni), from->seconds);
}

static bool vni_holds(const struct watch_rows *from, const struct row *row, const char *text)
{
	char name[NAME_SIZE];

	(void)from;
	snprintf(name, sizeof(name), "%" PRIu32, row->number);
	return strstr(name, text);
}

static json_t *write_vni(const struct watch_rows *from, const struct row *row)
{
	json_t *object = row_json(row);

	(void)from;
	json_object_set_new(object, "vni", json_integer(row->number));
	return object;
}

static struct row_table vnis_of(const struct watch_rows *rows)
{
	return (struct row_table){.from = rows,
				  .name = "vnis",
				  .number = "vni",
				  .fill = fill_vni,
				  .holds = vni_holds,
				  .write = write_vni,
				  .total = rows->stats.vni_count};
}

/* ---- choosing ---- */

static int by_number(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	return one->number < other->number ? -1 : one->number > other->number;
}

static int by_packets(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	if (one->hits.packets != other->hits.packets)
		return one->hits.packets > other->hits.packets ? -1 : 1;
	return by_number(a, b);
}

/* Without rates, which NAN stands for, by packets. */
static int by_pps(const void *a, const void *b)
{
	const struct row *one = a, *other = b;

	if (one->pps > other->pps)
		return -1;
	return one->pps < other->pps ? 1 : by_packets(a, b);
}

typedef int (*row_order)(const void *a, const void *b);

static row_order order_of(enum query_sort sort)
{
	if (sort == QUERY_SORT_NUMBER)
		return by_number;
	return sort == QUERY_SORT_PACKETS ? by_packets : by_pps;
}

/* Keeps the first `wanted` rows of all that are added, in order: cheap while they are few. */
static size_t keep_row(struct row *kept, size_t count, size_t wanted, const struct row *row,
		       row_order order)
{
	size_t place = count;

	if (count == wanted && order(row, &kept[count - 1]) > 0)
		return count;
	while (place > 0 && order(row, &kept[place - 1]) < 0)
		place--;
	count += count < wanted;
	memmove(&kept[place + 1], &kept[place], (count - 1 - place) * sizeof(*kept));
	kept[place] = *row;
	return count;
}

/* A list of rows; *matching: how many hold the text. */
static json_t *choose(const struct row_table *table, const struct query *query, size_t *matching)
{
	bool few = query->offset + query->limit <= TOP_ROWS;
	size_t room = few ? TOP_ROWS : table->total, count = 0;
	_cleanup_free_ struct row *rows = calloc(room + 1, sizeof(*rows));
	json_t *array = rows ? json_array() : NULL;
	row_order order = order_of(query->sort);
	struct row row;

	*matching = 0;
	for (uint32_t i = 0; rows && i < table->total; i++) {
		table->fill(table->from, i, &row);
		if (*query->text && !table->holds(table->from, &row, query->text))
			continue;
		++*matching;
		if (few)
			count = keep_row(rows, count, TOP_ROWS, &row, order);
		else
			rows[count++] = row;
	}
	if (rows && !few)
		qsort(rows, count, sizeof(*rows), order);
	for (size_t i = query->offset; rows && i < count && i - query->offset < query->limit; i++)
		json_array_append_new(array, table->write(table->from, &rows[i]));
	return array;
}

static int render_rows(struct watch *watch, const struct row_table *table,
		       const struct query *query, struct http_page *page)
{
	size_t matching;
	json_t *rows = choose(table, query, &matching);

	if (watch->rows.stats.state == DATAPATH_ABSENT)
		page->status = 503;
	return render_json(json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:o}", "instance",
				     watch->instance, "interval_seconds",
				     render_rate(watch->rows.seconds > 0 ? watch->rows.seconds
									 : NAN),
				     "total", (json_int_t)table->total, "matching",
				     (json_int_t)matching, "offset", (json_int_t)query->offset,
				     "limit", (json_int_t)query->limit, table->name, rows),
			   page);
}

int render_rules(struct watch *watch, const struct query *query, struct http_page *page)
{
	struct row_table table;
	int err = watch_read_rows(watch);

	if (err)
		return err;
	table = rules_of(&watch->rows);
	return render_rows(watch, &table, query, page);
}

int render_vnis(struct watch *watch, const struct query *query, struct http_page *page)
{
	struct row_table table;
	int err = watch_read_rows(watch);

	if (err)
		return err;
	table = vnis_of(&watch->rows);
	return render_rows(watch, &table, query, page);
}

static json_t *render_top(const struct row_table *table)
{
	const struct query query = {.limit = TOP_ROWS};
	size_t matching;

	return json_pack("{s:I, s:o}", "total", (json_int_t)table->total, "rows",
			 choose(table, &query, &matching));
}

json_t *render_top_rules(const struct watch_rows *rows)
{
	struct row_table table = rules_of(rows);

	return render_top(&table);
}

json_t *render_top_vnis(const struct watch_rows *rows)
{
	struct row_table table = vnis_of(rows);

	return render_top(&table);
}
