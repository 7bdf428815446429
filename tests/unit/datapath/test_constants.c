// SPDX-License-Identifier: GPL-2.0-only
/* The constants in the program's instructions: each placeholder gets its value, and none is left. */
#include <arpa/inet.h>
#include <errno.h>

#include "bpf/constants.h"
#include "datapath/internal.h"
#include "tests/unit/unit.h"

static const char *const constant_names[] = {
#define X(name, meaning) #name,
	PIPELINE_CONSTANTS(X)
#undef X
};

static bool is_place(const struct bpf_insn *at)
{
	return at->code == (BPF_LD | BPF_IMM | BPF_DW) && at[1].imm == CONSTANT_PLACEHOLDER;
}

static uint64_t value_at(const struct bpf_insn *at)
{
	return (uint32_t)at[0].imm | (uint64_t)(uint32_t)at[1].imm << 32;
}

/* A jump of CHOSEN_BY(), taken if the constant is 0, or of CHOSEN_SELDOM(), taken if it is not. */
static bool is_choice(const struct bpf_insn *at)
{
	return (at->code == (BPF_JMP | BPF_JGT | BPF_K) ||
		at->code == (BPF_JMP | BPF_JLE | BPF_K)) &&
	       at->imm >> 16 == CHOICE_PLACEHOLDER;
}

/* Is the jump taken by a number below 2^31, and only if it is to be? */
static bool choice_is(const struct bpf_insn *before, const struct bpf_insn *after, bool chosen)
{
	const bool seldom = before->code == (BPF_JMP | BPF_JLE | BPF_K);
	const uint8_t always = BPF_JMP | BPF_JLE | BPF_K, never = BPF_JMP | BPF_JGT | BPF_K;

	return after->code == (chosen == seldom ? always : never) && after->imm == INT32_MAX &&
	       after->off == before->off && after->dst_reg == before->dst_reg;
}

/* Which constant has its place here, and in what it is not as it should be. */
static int place_differs(const struct bpf_insn *before, const struct bpf_insn *after,
			 const uint64_t *expected, int *seen)
{
	const bool choice = is_choice(before);
	const uint32_t constant = choice ? before->imm & 0xffff : (uint32_t)before->imm;
	bool right;

	if (!choice && !is_place(before))
		return 0;
	assert_true(constant < CONSTANT_COUNT);
	seen[constant]++;
	right = choice ? choice_is(before, after, expected[constant])
		       : value_at(after) == expected[constant];
	if (!right)
		print_message("%s: not %#llx\n", constant_names[constant],
			      (unsigned long long)expected[constant]);
	return !right;
}

/* One rule, of VNI 0x123456: UDP from port 1000 to 10.0.0.1. */
static void fill_one(struct pipeline_config *config)
{
	config->port = htons(4789);
	config->vni_mode = VNI_ONE;
	config->vni = 0x123456;
	config->mtu = 1500;
	config->clear_df_above = 1400;
	config->nat4_shapes = config->nat4_rules = 1;
	config->nat4_only.counter = 7;
	config->rule_counters = 9;
	config->nat4_only.key.word[0] = 0x0100000aULL << 32;
	config->nat4_only.key.word[1] = nat_key_word(htons(1000), 0, 0, NAT_PROTOCOL_UDP);
	config->nat4_shape[0].mask.word[0] = 0xffffffffULL << 32;
	config->nat4_shape[0].mask.word[1] = nat_key_word(0xffff, 0, 0, 3);
	config->nat4 = (struct table){.seed = 0x1122334455667788ULL, .bucket_mask = 3, .slots = 99};
	config->udp_checksum = UDP_CHECKSUM_ZERO;
	config->next_hop = NEXT_HOP_MAC;
	config->histograms = 1;
}

static const uint64_t values_of_one[] = {
	[CONSTANT_USUAL] = 1,
	[CONSTANT_PORT] = 0xb512,
	/* as bytes: flags, three reserved, VNI, one reserved */
	[CONSTANT_VXLAN_MASK] = 0x00ffffff00000008,
	[CONSTANT_VXLAN] = 0x0056341200000008,
	[CONSTANT_ONE_VNI] = 1,
	[CONSTANT_LONGEST_FRAME] = 1564,
	[CONSTANT_LONGEST_CUT] = 0,
	[CONSTANT_TRIMMING] = 0,
	[CONSTANT_CLEAR_DF_ABOVE] = 1400,
	[CONSTANT_PLAIN] = 1,
	[CONSTANT_ONE_RULE] = 1,
	[CONSTANT_TABLE_SEED] = 0x1122334455667788,
	[CONSTANT_TABLE_BUCKET_MASK] = 3,
	[CONSTANT_TABLE_SLOTS] = 99,
	[CONSTANT_FIRST_COUNTER] = 7,
	[CONSTANT_COUNTERS_PER_CPU] = 9,
	[CONSTANT_FOLD_LOWER] = 0,
	[CONSTANT_FOLD_UPPER] = 0,
	[CONSTANT_ONE_TARGET] = 0,
	[CONSTANT_SHAPE_MASK0] = 0xffffffff00000000,
	[CONSTANT_SHAPE_MASK1] = 0x030000000000ffff,
	[CONSTANT_RULE_KEY0] = 0x0100000a00000000,
	[CONSTANT_RULE_KEY1] = 0x010000000000e803,
	[CONSTANT_RULE_UDP] = 1,
	[CONSTANT_RULE_ADDRESSES] = 1,
	[CONSTANT_RULE_PORTS_MASK] = 0xffff,
	[CONSTANT_RULE_PORTS] = 0xe803,
	[CONSTANT_UDP_UPDATE] = 0,
	[CONSTANT_ROUTED] = 0,
	[CONSTANT_DROP_UNMATCHED] = 1,
	[CONSTANT_HISTOGRAMS] = 1,
	[CONSTANT_TRACE] = 0,
};

/* Several rules of one shape, several VNIs and sources, several buffers, single-arm, for `explain`. */
static void fill_other(struct pipeline_config *config)
{
	fill_one(config);
	config->vni_mode = VNI_RANGE;
	config->check_sources = config->single_arm = config->trace = 1;
	config->buffers = BUFFERS_SEVERAL;
	config->unmatched = FALLBACK_FORWARD;
	config->nat4_rules = 2;
	config->nat4_counters = 2;
	config->nat4_only.key.word[1] = nat_key_word(htons(1000), 0, 0x123456, NAT_PROTOCOL_TCP);
	config->nat4_shape[0].mask.word[0] = 0;
	config->nat4_shape[0].mask.word[1] = nat_key_word(0xffff, 0, 0xffffff, 3);
	config->udp_checksum = UDP_CHECKSUM_UPDATE;
	config->next_hop = NEXT_HOP_ROUTE;
	config->one_hop = 1;
	config->nat4_lower = 40;
	config->nat4_upper = 41;
	config->one_target = 1;
	config->fragment_in_xdp = 1;
	config->device_mtu = 3000;
	config->fragment_mark = 0x123456789abcdef0;
}

static const struct {
	enum constant constant;
	uint64_t value;
} values_of_other[] = {
	{CONSTANT_VXLAN_MASK, 0x08},
	{CONSTANT_VXLAN, 0x08},
	{CONSTANT_ONE_VNI, 0},
	{CONSTANT_CHECK_SOURCES, 1},
	{CONSTANT_ONE_RULE, 0},
	{CONSTANT_ONE_SHAPE, 1},
	{CONSTANT_FIRST_COUNTER, 2},
	{CONSTANT_SINGLE_ARM, 1},
	{CONSTANT_DROP_UNMATCHED, 0},
	{CONSTANT_CHECK_BUFFERS, 1},
	{CONSTANT_TRACE, 1},
	{CONSTANT_FOLD_LOWER, 40},
	{CONSTANT_FOLD_UPPER, 41},
	{CONSTANT_ONE_TARGET, 1},
	{CONSTANT_PLAIN, 0},
	{CONSTANT_SHAPE_MASK0, 0},
	{CONSTANT_SHAPE_MASK1, 0x03ffffff0000ffff},
	{CONSTANT_RULE_KEY1, 0x021234560000e803},
	{CONSTANT_RULE_UDP, 0},
	{CONSTANT_RULE_TCP, 1},
	{CONSTANT_RULE_ADDRESSES, 0},
	{CONSTANT_UDP_UPDATE, 1},
	{CONSTANT_ROUTED, 1},
	{CONSTANT_ONE_HOP, 1},
	{CONSTANT_TRANSMIT, 1},
	{CONSTANT_TRIMMING, 0xdef00000},
	/* what the device admits: its MTU and a VLAN tag, without the shim */
	{CONSTANT_LONGEST_CUT, 50 + 14 + 3000 + 4 - 16},
};

/* Places the constants, and holds each placeholder of the program to what is expected. */
static int check_places(void (*fill)(struct pipeline_config *), const uint64_t *expected)
{
	struct pipeline_bpf *skeleton = pipeline_bpf__open();
	struct bpf_program *program;
	struct bpf_insn *before;
	int failed = 0, seen[CONSTANT_COUNT] = {0};
	size_t count;

	assert_non_null(skeleton);
	program = skeleton->progs.vxlan_pipeline;
	count = bpf_program__insn_cnt(program);
	before = calloc(count, sizeof(*before));
	assert_non_null(before);
	memcpy(before, bpf_program__insns(program), count * sizeof(*before));
	fill(&skeleton->rodata->config);
	assert_int_equal(datapath_place_constants(program, &skeleton->rodata->config), 0);
	assert_int_equal(bpf_program__insn_cnt(program), count);
	for (size_t i = 0; i + 1 < count; i++)
		failed +=
			place_differs(&before[i], bpf_program__insns(program) + i, expected, seen);
	for (int i = 0; i < CONSTANT_COUNT; i++)
		failed += row_differs(constant_names[i], seen[i] ? "used" : "not used", "used");
	free(before);
	pipeline_bpf__destroy(skeleton);
	return failed;
}

static void places(void **state)
{
	uint64_t expected[CONSTANT_COUNT];

	(void)state;
	memcpy(expected, values_of_one, sizeof(expected));
	assert_int_equal(check_places(fill_one, expected), 0);
	for (size_t i = 0; i < COUNT_OF(values_of_other); i++)
		expected[values_of_other[i].constant] = values_of_other[i].value;
	assert_int_equal(check_places(fill_other, expected), 0);
}

/*
 * A placeholder in another program, or in a function that is not inlined, would stay one: values are put into the one
 * program only.
 */
static void no_other_place(void **state)
{
	struct pipeline_bpf *skeleton = pipeline_bpf__open();
	const struct bpf_insn *program;
	size_t size, count, here = 0, anywhere = 0;
	const char *object = pipeline_bpf__elf_bytes(&size);

	(void)state;
	assert_non_null(skeleton);
	program = bpf_program__insns(skeleton->progs.vxlan_pipeline);
	count = bpf_program__insn_cnt(skeleton->progs.vxlan_pipeline);
	for (size_t i = 0; i + 1 < count; i++)
		here += is_place(&program[i]) || is_choice(&program[i]);
	/* sections with instructions are aligned to them */
	for (size_t at = 0; at + 2 * sizeof(*program) <= size; at += sizeof(*program)) {
		struct bpf_insn two[2];

		memcpy(two, object + at, sizeof(two));
		anywhere += is_place(two) || is_choice(two);
	}
	assert_true(here >= CONSTANT_COUNT);
	assert_int_equal(here, anywhere);
	pipeline_bpf__destroy(skeleton);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(places),
					   cmocka_unit_test(no_other_place)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
