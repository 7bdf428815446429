// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `explain` makes of a program's answer. datapath_run() below plays the program, so that it
 * can also do what the real one must never do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "explain/explain.h"

/* Outer Ethernet, IPv4, UDP to 4789, VXLAN with VNI 42; then the inner frame, "hello" in UDP. */
static const uint8_t arrival[] =
	"\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x08\0\x45\0\0\x53\0\x01\0\0\x40\x11\x66\x8c"
	"\x0a\0\0\x05\x0a\0\0\x09\xcf\xe5\x12\xb5\0\x3f\0\0\x08\0\0\0\0\0\x2a\0"
	"\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x08\0\x45\0\0\x21\0\x07\x40\0\x40\x11\x26\xc1"
	"\x0a\x01\0\x01\x0a\x01\0\x02\x13\x88\x02\x02\0\x0d\x92\x73hello";

#define ARRIVAL_LENGTH (sizeof(arrival) - 1)
#define INNER_OFFSET   50
#define INNER_LENGTH   (ARRIVAL_LENGTH - INNER_OFFSET)

#define IP_DESTINATION (14 + 16)
#define PORT           (14 + 20 + 2)
#define UDP_CHECKSUM   (14 + 20 + 6)
#define PAYLOAD        (14 + 20 + 8)

static struct {
	int err;
	struct trace trace;
	uint32_t action;
	size_t patch_at; /* the changed byte of the inner frame; 0: it leaves as it came */
	uint8_t patch;
	size_t length; /* of the frame that leaves; 0: as it came */
	bool untouched;
} program;

static struct explanation explanation;
static struct nat_rule rule = {.to = {.port = 8081}};
static const char *rule_name = "syslog";
static const struct rule_names names = {.of = &rule_name};

int datapath_run(struct datapath *datapath, const void *frame, size_t length,
		 struct datapath_outcome *outcome, struct error *error)
{
	size_t offset = program.untouched ? 0 : INNER_OFFSET;
	struct datapath_frame *out = &outcome->frames[0];

	(void)datapath;
	if (program.err)
		return error_set(error, program.err, "played");
	outcome->trace = program.trace;
	outcome->action = program.action;
	outcome->frame_count = 1;
	memcpy(out->bytes, (const uint8_t *)frame + offset, length - offset);
	out->length = program.length ? program.length : length - offset;
	if (program.patch_at)
		out->bytes[program.patch_at] = program.patch;
	return 0;
}

static int explain(size_t captured)
{
	struct capture_packet packet = {.bytes = arrival,
					.length = ARRIVAL_LENGTH,
					.captured = captured};
	struct config config = {.listen.port = 4789, .rules = &rule, .rule_count = 1};
	struct error error;

	return explain_packet(&explanation, NULL, &config, &names, &packet, &error);
}

static int redirects(void **state)
{
	(void)state;
	memset(&program, 0, sizeof(program));
	program.action = XDP_REDIRECT;
	program.trace = (struct trace){.verdict = VERDICT_REDIRECTED,
				       .vni = 42,
				       .inner_offset = INNER_OFFSET};
	return 0;
}

static void expect_change(size_t index, const char *name, const char *from, const char *to)
{
	const struct explain_change *change = &explanation.outs[0].changes[index];

	assert_true(index < explanation.outs[0].change_count);
	assert_string_equal(change->from->name, name);
	assert_string_equal(change->from->text, from);
	assert_string_equal(change->to->text, to);
}

static void test_nothing_changed(void **state)
{
	(void)state;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_true(explanation.has_inner);
	assert_true(explain_forwarded(&explanation));
	assert_int_equal(explanation.outs[0].change_count, 0);
	assert_false(explanation.outs[0].payload_changed);
	assert_null(explanation.rule);
}

static void test_destination_changed(void **state)
{
	(void)state;
	program.patch_at = IP_DESTINATION;
	program.patch = 0x0b;
	program.trace.rule = 1;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_ptr_equal(explanation.rule, &rule);
	assert_string_equal(explanation.rule_name, "syslog");
	assert_int_equal(explanation.outs[0].change_count, 3);
	expect_change(1, "ip.dst", "10.1.0.2", "11.1.0.2");
	assert_false(explanation.outs[0].payload_changed);
}

/* The address changed but the checksums did not: they are wrong now, which counts as a change. */
static void test_stale_checksums_are_changes(void **state)
{
	(void)state;
	program.patch_at = IP_DESTINATION;
	program.patch = 0x0b;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	expect_change(0, "ip.checksum", "0x26c1", "0x26c1");
	assert_int_equal(explanation.outs[0].changes[0].from->checksum, DISSECT_CORRECT);
	assert_int_equal(explanation.outs[0].changes[0].to->checksum, DISSECT_WRONG);
	assert_int_equal(explanation.outs[0].changes[0].to->right, 0x25c1);
	expect_change(2, "udp.checksum", "0x9273", "0x9273");
	assert_int_equal(explanation.outs[0].changes[2].to->right, 0x9173);
}

static void test_checksum_taken_away(void **state)
{
	(void)state;
	program.patch_at = UDP_CHECKSUM;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_int_equal(explanation.outs[0].change_count, 1);
	expect_change(0, "udp.checksum", "0x9273", "0x0073");
}

static void test_payload_changed(void **state)
{
	(void)state;
	program.patch_at = PAYLOAD + 4;
	program.patch = 'a';
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_true(explanation.outs[0].payload_changed);
}

static void test_payload_cut(void **state)
{
	(void)state;
	program.length = INNER_LENGTH - 1;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_true(explanation.outs[0].payload_changed);
}

static void test_left_to_the_kernel(void **state)
{
	(void)state;
	program.untouched = true;
	program.action = XDP_PASS;
	program.trace = (struct trace){.verdict = VERDICT_NOT_TUNNEL, .vni = VNI_NONE};
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_int_equal(explanation.out_count, 1);
	assert_false(explain_forwarded(&explanation));
	assert_int_equal(explanation.outs[0].change_count, 0);
	assert_false(explanation.outs[0].payload_changed);
}

static void test_dropped(void **state)
{
	(void)state;
	program.action = XDP_DROP;
	program.trace.verdict = VERDICT_UNMATCHED;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_int_equal(explanation.out_count, 0);
	assert_false(explain_forwarded(&explanation));
	assert_true(explanation.has_inner);
}

/* A packet that cannot be run is reported for itself; other failures end `explain`. */
static void test_not_run(void **state)
{
	struct explain_totals totals = {0};

	(void)state;
	program.err = -EMSGSIZE;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_string_not_equal(explanation.problem, "");
	assert_int_equal(explanation.out_count, 0);
	explain_count(&totals, &explanation);
	program.err = -ENOMEM;
	assert_int_equal(explain(13), 0);
	assert_string_equal(explanation.problem, "13 bytes are less than an Ethernet header");
	explain_count(&totals, &explanation);
	assert_int_equal(explain(ARRIVAL_LENGTH), -ENOMEM);
	program.err = 0;
	assert_int_equal(explain(ARRIVAL_LENGTH), 0);
	assert_string_equal(explanation.problem, "");
	explain_count(&totals, &explanation);
	assert_int_equal(totals.packets, 3);
	assert_int_equal(totals.not_run, 2);
	assert_int_equal(totals.verdicts[VERDICT_REDIRECTED], 1);
}

static void test_escape(void **state)
{
	char text[12];

	(void)state;
	assert_string_equal(explain_escape("\033[1", text, sizeof(text)), "\\x1b[1");
	assert_string_equal(explain_escape("\xff\n\x7f", text, sizeof(text)), "\\xff\\x0a");
	assert_string_equal(explain_escape("0123456789abcdef", text, sizeof(text)), "0123456");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_changed, redirects),
		cmocka_unit_test_setup(test_destination_changed, redirects),
		cmocka_unit_test_setup(test_stale_checksums_are_changes, redirects),
		cmocka_unit_test_setup(test_checksum_taken_away, redirects),
		cmocka_unit_test_setup(test_payload_changed, redirects),
		cmocka_unit_test_setup(test_payload_cut, redirects),
		cmocka_unit_test_setup(test_left_to_the_kernel, redirects),
		cmocka_unit_test_setup(test_dropped, redirects),
		cmocka_unit_test_setup(test_not_run, redirects),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
