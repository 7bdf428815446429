// SPDX-License-Identifier: GPL-2.0-only
/* The largest configurations, larger ones, and inputs made to cost much time. */
#include <time.h>

#include "tests/unit/config/config_rows.h"

/*
 * CPU time. Each test takes a fraction of a second even under the sanitizers, so ten seconds are
 * enough on a slow machine. An algorithm that compares every rule with every other takes minutes.
 */
#define SECONDS_AT_MOST 10

struct text {
	char *bytes;
	size_t length;
	FILE *stream;
};

static void text_begin(struct text *text)
{
	text->stream = open_memstream(&text->bytes, &text->length);
	assert_non_null(text->stream);
}

/* Loads the text, in time, and returns the problems. */
static char *text_load(struct text *text, struct config *config)
{
	struct timespec begin, end;
	char *problems;

	fclose(text->stream);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	problems = load_text(config, text->bytes, text->length, NULL, 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_true(end.tv_sec - begin.tv_sec < SECONDS_AT_MOST);
	free(text->bytes);
	return problems;
}

static void assert_loads(struct text *text, const char *expected, size_t rules)
{
	struct config config;
	char *problems = text_load(text, &config);

	assert_string_equal(problems, expected);
	assert_int_equal(config.rule_count, rules);
	free(problems);
	config_clear(&config);
}

static void print_port_rules(FILE *stream, unsigned int count)
{
	fprintf(stream, "nat:\n");
	for (unsigned int i = 0; i < count; i++)
		fprintf(stream,
			"  - match: {source_port: %u, destination_port: %u}\n"
			"    to: 10.2.41.17:8081\n",
			i % 65535 + 1, i / 65535 + 1);
}

static void most_rules(void **state)
{
	struct text text;

	(void)state;
	text_begin(&text);
	fprintf(text.stream, "listen: {interface: ens5}\n");
	print_port_rules(text.stream, PIPELINE_MAX_RULES);
	assert_loads(&text, "", PIPELINE_MAX_RULES);
}

static void one_rule_too_many(void **state)
{
	struct text text;

	(void)state;
	text_begin(&text);
	fprintf(text.stream, "listen: {interface: ens5}\n");
	print_port_rules(text.stream, PIPELINE_MAX_RULES + 1);
	assert_loads(&text, "t:131075:5: nat: 65537 are too many: at most 65536 fit\n", 0);
}

/* Prefixes of every length contain one another: each rule has to be compared with every shape. */
static void most_shapes(void **state)
{
	struct text text;

	(void)state;
	text_begin(&text);
	fprintf(text.stream, "listen: {interface: ens5}\nnat:\n");
	for (unsigned int i = 0; i < PIPELINE_MAX_RULES; i++)
		fprintf(text.stream,
			"  - {match: {source: '2001:db8:%x:1:8000::/%u'}, to: 'fd00::1'}\n", i / 64,
			128 - i % 64);
	assert_loads(&text, "", PIPELINE_MAX_RULES);
}

static void one_shape_too_many(void **state)
{
	struct text text;

	(void)state;
	text_begin(&text);
	fprintf(text.stream, "listen: {interface: ens5}\nnat:\n");
	for (unsigned int i = 0; i < PIPELINE_MAX_SHAPES + 1; i++)
		fprintf(text.stream, "  - {match: {source: '2001:db8:%x::/%u'}, to: 'fd00::1'}\n",
			i, 48 + i);
	assert_loads(&text,
		     "t:67:6: nat[65].match: the IPv6 rules compare too many different things: at "
		     "most 64 combinations of keys and prefix lengths\n",
		     0);
}

/* The first rule covers every other: each is reported. */
static void all_dead(void **state)
{
	struct text text;
	struct config config;
	char *problems;
	size_t lines = 0;

	(void)state;
	text_begin(&text);
	fprintf(text.stream, "listen: {interface: ens5}\nnat:\n");
	for (unsigned int i = 0; i < PIPELINE_MAX_RULES; i++)
		fprintf(text.stream, "  - {match: {source_port: 1}, to: 10.2.41.17}\n");
	problems = text_load(&text, &config);
	for (const char *at = problems; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, PIPELINE_MAX_RULES - 1);
	free(problems);
}

static void vnis(void **state)
{
	static const struct {
		unsigned int count;
		const char *problems;
	} rows[] = {
		{PIPELINE_MAX_VNIS, ""},
		{PIPELINE_MAX_VNIS + 1,
		 "t:1:19387: listen.vnis: 4097 are too many: at most 4096 fit\n"},
	};
	struct text text;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		text_begin(&text);
		fprintf(text.stream, "listen: {vnis: [0");
		for (unsigned int vni = 1; vni < rows[i].count; vni++)
			fprintf(text.stream, ",%u", vni);
		fprintf(text.stream, "], interface: ens5}\n");
		assert_loads(&text, rows[i].problems, 0);
	}
}

static void repeat(FILE *stream, const char *what, size_t count)
{
	while (count--)
		fputs(what, stream);
}

static void deep_nesting(void **state)
{
	static const struct {
		const char *sentence;
		const char *level;
		const char *problems;
	} rows[] = {
		{"lists in one line", "[",
		 "t:2:1: a: unknown key; did you mean 'nat'?\n"
		 "t:2:19: nested more than 16 deep: no key of a configuration is\n"},
		{"lists as blocks", "- ",
		 "t:2:1: a: unknown key; did you mean 'nat'?\n"
		 "t:2:4: not valid YAML: block sequence entries are not allowed in this context\n"},
		{"mappings in one line", "{a: ",
		 "t:2:1: a: unknown key; did you mean 'nat'?\n"
		 "t:2:64: nested more than 16 deep: no key of a configuration is\n"},
	};
	struct text text;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct config config;
		char *problems;

		text_begin(&text);
		fprintf(text.stream, "listen: {interface: ens5}\na: ");
		repeat(text.stream, rows[i].level, 1000000);
		problems = text_load(&text, &config);
		assert_int_equal(row_differs(rows[i].sentence, problems, rows[i].problems), 0);
		free(problems);
	}
}

static void long_values_are_cut(void **state)
{
	struct config config;
	struct text text;
	char *problems;

	(void)state;
	text_begin(&text);
	fprintf(text.stream, "listen: {interface: ");
	repeat(text.stream, "a", 1000000);
	fprintf(text.stream, ", ");
	repeat(text.stream, "b", 500);
	fprintf(text.stream, ": 1}\n");
	problems = text_load(&text, &config);
	assert_true(strlen(problems) < 400);
	assert_non_null(strstr(problems, "aaa...' is not the name"));
	assert_non_null(strstr(problems, "listen.bbb"));
	free(problems);
}

/* The number of listed problems is limited; the number of others is printed. */
static void endless_problems(void **state)
{
	struct config config;
	struct text text;
	char *problems;

	(void)state;
	text_begin(&text);
	repeat(text.stream, "x: 1\n", 100005);
	problems = text_load(&text, &config);
	assert_non_null(strstr(problems, "\nt: 6 more problems are not listed\n"));
	free(problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_rules),       cmocka_unit_test(one_rule_too_many),
		cmocka_unit_test(most_shapes),      cmocka_unit_test(one_shape_too_many),
		cmocka_unit_test(all_dead),         cmocka_unit_test(vnis),
		cmocka_unit_test(deep_nesting),     cmocka_unit_test(long_values_are_cut),
		cmocka_unit_test(endless_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
