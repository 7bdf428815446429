// SPDX-License-Identifier: GPL-2.0-only
/* The constants that stand in the program's instructions: bpf/constants.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bpf/constants.h"
#include "datapath/fragmenting.h"
#include "datapath/internal.h"

/* The eight bytes of a VXLAN header with these flags and this VNI, as a program loads them from a frame. */
static uint64_t vxlan_word(uint32_t flags, uint32_t vni)
{
	const uint32_t header[2] = {htonl(flags << 24), htonl(vni << 8)};
	uint64_t word;

	memcpy(&word, header, sizeof(word));
	return word;
}

/* It takes words of the frame apart as a little-endian CPU loads them; and a usual packet has a rule. */
static bool has_usual_way(const struct pipeline_config *config)
{
	return htonl(1) != 1 && config->nat4_shapes;
}

/* No longer than size_count_short() counts. */
static uint64_t longest_frame(const struct pipeline_config *config)
{
	const uint64_t longest = USUAL_TUNNEL + ETH_HLEN + config->mtu;

	return longest < SIZE_STEP * SIZE_SLOTS ? longest : SIZE_STEP * SIZE_SLOTS;
}

/* As fragment_count() has it, of a packet in the least tunnel. 0: none is cut in XDP. */
static uint64_t longest_cut(const struct pipeline_config *config)
{
	const uint64_t admitted = config->device_mtu - FRAGMENTING_ROOM;

	if (!config->fragment_in_xdp)
		return 0;
	return USUAL_TUNNEL + ETH_HLEN +
	       (admitted < FRAGMENTING_LARGEST ? admitted : FRAGMENTING_LARGEST);
}

/* Does the one rule match packets of this protocol and VNI? 0 in the mask: of any. */
static bool rule_matches(const struct pipeline_config *config, uint32_t vni, uint32_t protocol)
{
	const uint64_t rest = nat_key_word(0, 0, vni, protocol);
	const uint64_t mask =
		config->nat4_shape[0].mask.word[1] & nat_key_word(0, 0, PIPELINE_VNI_MAX, 3);

	return !((rest ^ config->nat4_only.key.word[1]) & mask);
}

static void constants_choose(const struct pipeline_config *config, uint64_t *values)
{
	const bool one_vni = config->vni_mode == VNI_ONE;

	memset(values, 0, CONSTANT_COUNT * sizeof(*values));
	values[CONSTANT_USUAL] = has_usual_way(config);
	values[CONSTANT_PORT] = config->port;
	values[CONSTANT_VXLAN_MASK] = vxlan_word(VXLAN_FLAG_VNI, one_vni ? PIPELINE_VNI_MAX : 0);
	values[CONSTANT_VXLAN] = vxlan_word(VXLAN_FLAG_VNI, one_vni ? config->vni : 0);
	values[CONSTANT_ONE_VNI] = one_vni;
	values[CONSTANT_CHECK_SOURCES] = config->check_sources;
	values[CONSTANT_DROP_UNMATCHED] = config->unmatched == FALLBACK_DROP;
	values[CONSTANT_LONGEST_FRAME] = longest_frame(config);
	values[CONSTANT_LONGEST_CUT] = longest_cut(config);
	values[CONSTANT_TRIMMING] =
		config->fragment_in_xdp ? TRIMMING_OF(config->fragment_mark) : 0;
	values[CONSTANT_CLEAR_DF_ABOVE] = config->clear_df_above;
	values[CONSTANT_ONE_RULE] = config->nat4_rules == 1;
	values[CONSTANT_PLAIN] = config->nat4_rules == 1 && one_vni && !config->check_sources &&
				 config->buffers == BUFFERS_ONE && config->cpus <= ONLY_CPUS;
	values[CONSTANT_ONE_SHAPE] = config->nat4_shapes == 1 && config->nat4_rules > 1;
	values[CONSTANT_TABLE_SEED] = config->nat4.seed;
	values[CONSTANT_TABLE_BUCKET_MASK] = config->nat4.bucket_mask;
	values[CONSTANT_TABLE_SLOTS] = config->nat4.slots;
	values[CONSTANT_FIRST_COUNTER] =
		config->nat4_rules == 1 ? config->nat4_only.counter : config->nat4_counters;
	values[CONSTANT_COUNTERS_PER_CPU] = config->rule_counters;
	values[CONSTANT_FOLD_LOWER] = config->nat4_lower;
	values[CONSTANT_FOLD_UPPER] = config->nat4_upper;
	values[CONSTANT_ONE_TARGET] = config->one_target;
	values[CONSTANT_ONE_HOP] = config->one_hop;
	values[CONSTANT_SHAPE_MASK0] = config->nat4_shape[0].mask.word[0];
	values[CONSTANT_SHAPE_MASK1] = config->nat4_shape[0].mask.word[1];
	values[CONSTANT_RULE_KEY0] = config->nat4_only.key.word[0];
	values[CONSTANT_RULE_KEY1] = config->nat4_only.key.word[1];
	values[CONSTANT_RULE_UDP] = rule_matches(config, config->vni, NAT_PROTOCOL_UDP);
	values[CONSTANT_RULE_TCP] = rule_matches(config, config->vni, NAT_PROTOCOL_TCP);
	values[CONSTANT_RULE_ADDRESSES] = config->nat4_shape[0].mask.word[0] != 0;
	values[CONSTANT_RULE_PORTS_MASK] = (uint32_t)config->nat4_shape[0].mask.word[1];
	values[CONSTANT_RULE_PORTS] = (uint32_t)config->nat4_only.key.word[1];
	values[CONSTANT_UDP_UPDATE] = config->udp_checksum == UDP_CHECKSUM_UPDATE;
	values[CONSTANT_ROUTED] = config->next_hop == NEXT_HOP_ROUTE;
	values[CONSTANT_SINGLE_ARM] = config->single_arm;
	values[CONSTANT_TRANSMIT] = config->single_arm && !config->transmit_by_redirect;
	values[CONSTANT_CHECK_BUFFERS] = config->buffers != BUFFERS_ONE;
	values[CONSTANT_HISTOGRAMS] = config->histograms;
	values[CONSTANT_TRACE] = config->trace;
}

static bool is_placeholder(const struct bpf_insn *instruction)
{
	return instruction->code == (BPF_LD | BPF_IMM | BPF_DW) && !instruction->src_reg &&
	       instruction[1].imm == CONSTANT_PLACEHOLDER;
}

/* A jump that is taken if the constant is 0, or if it is not, by its comparison: CHOSEN_BY(), CHOSEN_SELDOM(). */
static bool is_choice(const struct bpf_insn *instruction)
{
	return (instruction->code == (BPF_JMP | BPF_JGT | BPF_K) ||
		instruction->code == (BPF_JMP | BPF_JLE | BPF_K)) &&
	       instruction->imm >> 16 == CHOICE_PLACEHOLDER;
}

static void place_choice(struct bpf_insn *instruction, bool chosen)
{
	const bool taken = chosen == (BPF_OP(instruction->code) == BPF_JLE);

	/* the number is never greater */
	instruction->code = BPF_JMP | (taken ? BPF_JLE : BPF_JGT) | BPF_K;
	instruction->imm = INT32_MAX;
}

static int place_constant(struct bpf_insn *instruction, const uint64_t *values)
{
	const bool choice = is_choice(instruction);
	const uint32_t constant = choice ? instruction->imm & 0xffff : instruction->imm;

	if (constant >= CONSTANT_COUNT)
		return -EINVAL;
	if (choice) {
		place_choice(instruction, values[constant]);
	} else {
		instruction[0].imm = (__s32)values[constant];
		instruction[1].imm = (__s32)(values[constant] >> 32);
	}
	return 0;
}

int datapath_place_constants(struct bpf_program *program, const struct pipeline_config *config)
{
	size_t count = bpf_program__insn_cnt(program);
	_cleanup_free_ struct bpf_insn *instructions = calloc(count, sizeof(*instructions));
	uint64_t values[CONSTANT_COUNT];

	if (!instructions)
		return -ENOMEM;
	memcpy(instructions, bpf_program__insns(program), count * sizeof(*instructions));
	constants_choose(config, values);
	for (size_t i = 0; i < count; i++) {
		int err = 0;

		if (is_choice(&instructions[i]) ||
		    (i + 1 < count && is_placeholder(&instructions[i])))
			err = place_constant(&instructions[i], values);
		if (err)
			return err;
	}
	return bpf_program__set_insns(program, instructions, count);
}
