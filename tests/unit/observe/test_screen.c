// SPDX-License-Identifier: GPL-2.0-only
/* The screen of `monitor`: it fits, holds no control characters but its own, and shows the most first. */
#include "observe/screen.h"
#include "observe/top.h"
#include "tests/unit/unit.h"

static struct datapath_vni vnis[2][3] = {{{1, {10, 1000}}, {5, {10, 1000}}, {9, {10, 1000}}},
					 {{1, {10, 1000}}, {5, {40, 4000}}, {7, {90, 9000}}}};
static struct datapath_rule rules[2][3] = {
	{{.name = "a", .hits = {5, 500}}, {.name = "b"}, {.name = "c"}},
	{{.name = "a", .hits = {6, 600}}, {.name = "b", .hits = {70, 7000}}, {.name = "c"}},
};
static struct loss_row lost[2] = {
	{LOSS_PLACE_NIC, "ens5", "rx_drops", 10, "had no room"},
	{LOSS_PLACE_NIC, "ens5", "rx_drops", 30, "had no room"},
};
static struct look looks[2];

static void make_looks(void)
{
	memset(looks, 0, sizeof(looks));
	for (size_t i = 0; i < 2; i++) {
		struct look *look = &looks[i];

		look->stats.state = DATAPATH_ATTACHED;
		look->stats.vnis = vnis[i];
		look->stats.rules = rules[i];
		look->stats.vni_count = look->stats.rule_count = 3;
		strcpy(look->stats.info.listen, "ens5");
		strcpy(look->stats.info.egress, "ens6");
		look->losses = (struct loss_table){.rows = &lost[i], .count = 1};
		look->condition.losses.counted = true;
	}
	for (size_t i = 0; i < 3; i++)
		rules[1][i].to.address.version = 4;
	looks[1].stats.counters.verdict[VERDICT_REDIRECTED] = (struct hits){80, 8000};
	looks[1].stats.counters.verdict[VERDICT_BAD_VXLAN] = (struct hits){200, 20000};
	looks[1].condition.next_hops[NEXT_HOP_RESOLVED] = 2;
}

static struct screen make_screen(void)
{
	make_looks();
	return (struct screen){.instance = "blue",
			       .now = &looks[1],
			       .before = &looks[0],
			       .seconds = 10};
}

/* The caller frees it. */
static char *drawn(const struct screen *screen, unsigned int width, unsigned int height)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	screen_print(screen, width, height, stream);
	fclose(stream);
	return text;
}

static void whole(void **state)
{
	static const char tables[] =
		"\033[5;1H\033[K"
		"\033[6;1HVERDICT                           PPS       MBIT/S\033[K"
		"\033[7;1Hbad_vxlan                          20         0.02  VXLAN header without "
		"the I "
		"flag\033[K"
		"\033[8;1Hredirected                          8         0.01  sent out of "
		"forward.interface\033[K"
		"\033[9;1H\033[K"
		"\033[10;1HLOST AT   INTERFACE               PPS       ALL IN ALL  REASON\033[K"
		"\033[11;1Hnic       ens5                      2               30  rx_drops: had "
		"no "
		"room\033[K"
		"\033[12;1Hnext hops: 2 resolved, 0 failed, 0 unknown, 0 of this host\033[K"
		"\033[13;1H\033[K"
		"\033[14;1HRULE                              PPS       MBIT/S  TO\033[K"
		"\033[15;1Hb                                   7         0.01  0.0.0.0\033[K"
		"\033[16;1Ha                                   0         0.00  0.0.0.0\033[K"
		"\033[17;1H\033[K"
		"\033[18;1HVNI                               PPS       MBIT/S\033[K"
		"\033[19;1H7                                   9         0.01\033[K"
		"\033[20;1H5                                   3         0.00\033[K\033[J";
	struct screen screen = make_screen();
	char *text = drawn(&screen, 200, 60);

	(void)state;
	assert_non_null(strstr(text, "\033[5;1H"));
	assert_string_equal(strstr(text, "\033[5;1H"), tables);
	free(text);
}

/* Whatever the size and the names: it fits, and no control character comes but the screen's own. */
static void fits(void **state)
{
	struct screen screen = make_screen();

	(void)state;
	screen.color = true;
	strcpy(looks[1].stats.info.listen, "a\033[2Jb\r\nc");
	rules[1][1].name = "\033]0;x\a\233\xc2\x9b";
	for (size_t i = 0; i < HEALTH_MAX_REASONS; i++)
		health_add(&looks[1].health, HEALTH_BAD,
			   "%zu: the port is taken by \033[8m\177%0300d", i, 0);
	for (unsigned int height = 1; height < 60; height += 3) {
		for (unsigned int width = 1; width < 300; width += 13) {
			char *text = drawn(&screen, width, height), *at = text;
			unsigned int lines = 0, column = 0;

			while (*at) {
				if (*at != '\033') {
					assert_in_range((unsigned char)*at++, ' ', '~');
					assert_true(++column < width);
					continue;
				}
				assert_int_equal(at[1], '[');
				at += 2 + strspn(at + 2, "0123456789;");
				assert_non_null(strchr("HKJm", *at));
				if (*at == 'H') {
					lines++;
					column = 0;
				}
				at++;
			}
			assert_true(lines <= height);
			free(text);
		}
	}
	rules[1][1].name = "b";
}

static void without_an_instance(void **state)
{
	struct screen screen = {.instance = "blue"};
	char *text = drawn(&screen, 100, 20);

	(void)state;
	assert_non_null(strstr(text, "instance blue: nothing is attached any more"));
	assert_null(strstr(text, "VERDICT"));
	free(text);
}

/* Ten lines of rates: the latest ones stay, the latest first. */
static void history(void **state)
{
	struct screen screen = {.instance = "blue"};
	struct monitor monitor = {.target_pps = 9, .warning_pps = 8, .color = true};

	(void)state;
	for (unsigned int pps = 1; pps <= 10; pps++) {
		struct monitor_rates rates = {.seconds = 1, .pps = pps, .vxlan_pps = pps};

		screen_note_rates(&screen, &monitor, &rates);
	}
	assert_string_equal(screen.history[0].text + 8,
			    "         10         10     0.0%          0 "
			    "       0 OK");
	assert_string_equal(screen.history[0].color, "\033[32m");
	assert_non_null(strstr(screen.history[2].text, " LOW"));
	assert_non_null(strstr(screen.history[4].text, " BELOW"));
}

/* Of other rules there is no telling; counters that went back began anew. */
static void top(void **state)
{
	struct top_row rows[2];

	(void)state;
	make_looks();
	assert_int_equal(top_rules(rows, 1, &looks[1].stats, &looks[0].stats, 10), 1);
	assert_int_equal(rows[0].index, 1);
	assert_int_equal(top_rules(rows, 0, &looks[1].stats, &looks[0].stats, 10), 0);
	assert_int_equal(top_rules(rows, 2, &looks[0].stats, &looks[1].stats, 10), 0);
	looks[1].stats.info.generation = 2;
	assert_int_equal(top_rules(rows, 2, &looks[1].stats, &looks[0].stats, 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(fits),
		cmocka_unit_test(without_an_instance),
		cmocka_unit_test(history),
		cmocka_unit_test(top),
	};

	return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
