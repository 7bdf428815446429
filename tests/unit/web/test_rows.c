// SPDX-License-Identifier: GPL-2.0-only
/* Rows of /rules.json, for made-up rules: which ones, in what order, at what rates. */
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "tests/unit/unit.h"
#include "web/render.h"

#define RULES 200

static char names[RULES][16];
static struct datapath_rule rules[RULES];
static struct hits before[RULES];

/* Rule n+1 has 1000 * (n % 7) packets, (n * 37) % 50 of them in the last two seconds. */
static void make_rules(struct watch *watch)
{
	memset(watch, 0, sizeof(*watch));
	watch->instance = "unit";
	watch->rows.stats.state = DATAPATH_ATTACHED;
	watch->rows.stats.rules = rules;
	watch->rows.stats.rule_count = RULES;
	watch->rows.seconds = 2;
	watch->rows.rules_before = before;
	watch->rows.read_at = clock_us();
	watch->rows.good_until = INT64_MAX;
	for (unsigned int n = 0; n < RULES; n++) {
		snprintf(names[n], sizeof(names[n]), "name%u", n);
		rules[n] =
			(struct datapath_rule){.name = names[n],
					       .to = {.address = {4, {10, 0, (uint8_t)(n % 3), 1}},
						      .port = 80},
					       .hits = {1000ULL * (n % 7), 100000ULL * (n % 7)}};
		before[n] = rules[n].hits;
		if (rules[n].hits.packets) {
			before[n].packets -= n * 37 % 50;
			before[n].bytes -= n * 37 % 50 * 100ULL;
		}
	}
}

static json_t *ask(struct watch *watch, const char *text)
{
	struct http_page page = {.status = 200};
	struct query query;
	struct error error;
	json_t *document;

	assert_int_equal(query_parse(&query, text, "rule", &error), 0);
	assert_int_equal(render_rules(watch, &query, &page), 0);
	assert_int_equal(page.status, 200);
	document = json_loadb(page.body, page.length, 0, NULL);
	assert_non_null(document);
	free(page.body);
	return document;
}

/* The numbers of the rows, and how many of how many there are. */
static const char *tell(struct watch *watch, const char *text, char *line, size_t size)
{
	json_t *document = ask(watch, text), *row;
	size_t used = 0, i;

	json_array_foreach (json_object_get(document, "rules"), i, row)
		used += (size_t)snprintf(line + used, size - used, "%" JSON_INTEGER_FORMAT " ",
					 json_integer_value(json_object_get(row, "rule")));
	snprintf(line + used, size - used, "of %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(document, "matching")),
		 json_integer_value(json_object_get(document, "total")));
	json_decref(document);
	return line;
}

static void chosen(void **state)
{
	static const struct {
		const char *sentence;
		const char *query;
		const char *rows;
	} table[] = {
		{"by number", "sort=rule&limit=3", "1 2 3 of 200/200"},
		{"the end", "sort=rule&limit=3&offset=198", "199 200 of 200/200"},
		{"behind the end", "sort=rule&limit=3&offset=200", "of 200/200"},
		{"by packets, and then by number", "sort=packets&limit=3", "7 14 21 of 200/200"},
		{"by rate, then by packets, then by number", "limit=4",
		 "28 178 128 105 of 200/200"},
		{"a part of a name, in letters of any case", "q=NAME19&sort=rule&limit=3",
		 "20 191 192 of 11/200"},
		{"a target", "q=10.0.2.1&sort=rule&limit=2", "3 6 of 66/200"},
		{"nothing", "q=nothing", "of 0/200"},
	};
	struct watch watch;
	int failures = 0;

	(void)state;
	make_rules(&watch);
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		char line[400];

		failures += row_differs(table[i].sentence,
					tell(&watch, table[i].query, line, sizeof(line)),
					table[i].rows);
	}
	assert_int_equal(failures, 0);
}

/* The first ten are chosen in another way than more are. */
static void alike(void **state)
{
	static const char *const orders[] = {"sort=pps", "sort=packets", "sort=rule", "q=1"};
	struct watch watch;

	(void)state;
	make_rules(&watch);
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		for (int limit = 1; limit <= 10; limit++) {
			char query[64], few[400], many[4000];

			snprintf(query, sizeof(query), "%s&limit=%d", orders[i], limit);
			tell(&watch, query, few, sizeof(few));
			snprintf(query, sizeof(query), "%s&limit=100", orders[i]);
			tell(&watch, query, many, sizeof(many));
			*strstr(few, "of") = '\0';
			assert_memory_equal(few, many, strlen(few));
		}
	}
}

static void rates(void **state)
{
	json_t *document, *row;
	struct watch watch;

	(void)state;
	make_rules(&watch);
	document = ask(&watch, "sort=rule&offset=1&limit=1");
	row = json_array_get(json_object_get(document, "rules"), 0);
	assert_true(json_real_value(json_object_get(row, "pps")) == 18.5);
	assert_int_equal(json_integer_value(json_object_get(row, "bits_per_second")), 14800);
	json_decref(document);
	watch.rows.seconds = 0;
	watch.rows.rules_before = NULL;
	document = ask(&watch, "sort=pps&limit=1");
	row = json_array_get(json_object_get(document, "rules"), 0);
	assert_true(json_is_null(json_object_get(row, "pps")));
	assert_true(json_is_null(json_object_get(document, "interval_seconds")));
	assert_int_equal(json_integer_value(json_object_get(row, "rule")), 7);
	json_decref(document);
	assert_true(isnan(watch_rate(5, 4, 1)));
	assert_true(isnan(watch_rate(4, 5, 0)));
	assert_true(watch_rate(4, 5, 0.5) == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen),
		cmocka_unit_test(alike),
		cmocka_unit_test(rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
