// SPDX-License-Identifier: GPL-2.0-only
/* Which rules' packets an IPsec policy is about, and the message about them. */
#include <netinet/in.h>

#include "datapath/bypass.h"
#include "tests/unit/unit.h"

#define IN  3
#define OUT 4

#define V4(a, b, c, d, bits)                      \
	{                                         \
		{4, {(a), (b), (c), (d)}}, (bits) \
	}
#define ANY4 V4(0, 0, 0, 0, 0)

#define BASE "listen: {interface: in0}\nforward: {interface: out0}\n"
#define RULES                                                                   \
	BASE "nat:\n"                                                           \
	     "- {match: {source_port: 1}, to: 10.20.0.2}\n"                     \
	     "- {match: {source_port: 2}, to: 'fd20::2'}\n"                     \
	     "- {match: {source_port: 3, protocol: udp}, to: 10.20.0.3:8081}\n" \
	     "- {match: {destination_port: 9}, to: 10.20.0.3}\n"
#define ESP .demands = IPPROTO_ESP, .priority = 5

static const struct {
	const char *sentence;
	const char *config;
	struct xfrm_policy policy;
	struct bypass_way way;
	const char *expected; /* rules, the first one, why, the command */
} rows[] = {
	{"the first rule's target",
	 RULES,
	 {ESP, .source = ANY4, .destination = V4(10, 20, 0, 2, 32)},
	 {IN, OUT, false, false},
	 "1 1\nan IPsec policy (dir out src 0.0.0.0/0 dst 10.20.0.2 priority 5) demands esp for "
	 "packets to 10.20.0.2 (rule 1), but XDP asks no policies, and they leave in plaintext; "
	 "name another target, or allow them by a policy before it\n"
	 "ip xfrm policy add dst 10.20.0.2 dev out0 dir out priority 4 action allow"},
	{"all of IPv4",
	 RULES,
	 {ESP, .source = ANY4, .destination = ANY4},
	 {IN, OUT, false, false},
	 "3 1\nan IPsec policy (dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 5) demands esp for "
	 "packets to 10.20.0.2 (rule 1, and 2 rules more), but XDP asks no policies, and they "
	 "leave in plaintext; name another target, or allow them by a policy before it\n"
	 "ip xfrm policy add dst 10.20.0.2 dev out0 dir out priority 4 action allow"},
	{"the port that a packet has then",
	 RULES,
	 {ESP, .source = ANY4, .destination = ANY4, .protocol = IPPROTO_UDP,
	  .source_port = {3, UINT16_MAX}, .destination_port = {8081, UINT16_MAX}},
	 {IN, OUT, false, false},
	 "1 3\nan IPsec policy (dir out src 0.0.0.0/0 dst 0.0.0.0/0 proto 17 sport 3 dport 8081 "
	 "priority 5) demands esp for packets to 10.20.0.3 (rule 3), but XDP asks no policies, "
	 "and they leave in plaintext; name another target, or allow them by a policy before it\n"
	 "ip xfrm policy add dst 10.20.0.3 dev out0 dir out priority 4 action allow"},
	{"a port that no rule sends to",
	 RULES,
	 {ESP, .source = ANY4, .destination = ANY4, .source_port = {3, UINT16_MAX},
	  .destination_port = {8082, UINT16_MAX}},
	 {IN, OUT, false, false},
	 "none"},
	{"a policy that comes first whatever comes",
	 BASE "nat: [{match: {source_port: 1}, to: 'fd20::2'}]\n",
	 {.demands = IPPROTO_AH, .source = {{6, {0}}, 0}, .destination = {{6, {0xfd, 0x20}}, 16}},
	 {IN, OUT, false, false},
	 "1 1\nan IPsec policy (dir out src ::/0 dst fd20::/16 priority 0) demands ah for packets "
	 "to fd20::2 (rule 1), but XDP asks no policies, and they leave in plaintext; name "
	 "another target, or remove it\nip xfrm policy list dir out"},
	{"a rule with a name",
	 BASE "nat: [{name: six, match: {source_port: 1}, to: 'fd20::2'}]\n",
	 {.demands = IPPROTO_AH, .source = {{6, {0}}, 0}, .destination = {{6, {0xfd, 0x20}}, 16}},
	 {IN, OUT, false, false},
	 "1 1\nan IPsec policy (dir out src ::/0 dst fd20::/16 priority 0) demands ah for packets "
	 "to fd20::2 (rule 1, six), but XDP asks no policies, and they leave in plaintext; name "
	 "another target, or remove it\nip xfrm policy list dir out"},
	{"unmatched packets",
	 "listen: {interface: in0}\nforward: {interface: out0, unmatched: forward}\n",
	 {ESP, .source = ANY4, .destination = V4(192, 168, 0, 0, 16)},
	 {IN, OUT, false, false},
	 "1 0\nan IPsec policy (dir out src 0.0.0.0/0 dst 192.168.0.0/16 priority 5) demands esp "
	 "for packets to anywhere (packets that no rule matches), but XDP asks no policies, and "
	 "they leave in plaintext; name another target, or allow them by a policy before it\n"
	 "ip xfrm policy add dev out0 dir out priority 4 action allow"},
	{"which are dropped",
	 BASE,
	 {ESP, .source = ANY4, .destination = ANY4},
	 {IN, OUT, false, false},
	 "none"},
	{"forbidden",
	 RULES,
	 {.blocks = true, .priority = 5, .source = ANY4, .destination = V4(10, 20, 0, 2, 32)},
	 {IN, OUT, false, false},
	 "1 1\nan IPsec policy (dir out src 0.0.0.0/0 dst 10.20.0.2 priority 5) forbids packets "
	 "to 10.20.0.2 (rule 1), but XDP asks no policies, and they leave; name another target, "
	 "or allow them by a policy before it\n"
	 "ip xfrm policy add dst 10.20.0.2 dev out0 dir out priority 4 action allow"},
	{"forbidden by default",
	 RULES,
	 {.blocks = true, .is_default = true, .priority = UINT32_MAX},
	 {IN, OUT, false, false},
	 "4 1\nan IPsec policy (default out block) forbids packets to 10.20.0.2 (rule 1, and 3 "
	 "rules more), but XDP asks no policies, and they leave; name another target, or allow "
	 "them by a policy before it\n"
	 "ip xfrm policy add dst 10.20.0.2 dev out0 dir out priority 1 action allow"},
	{"how they came",
	 RULES,
	 {ESP, .direction = XFRM_FORWARD, .source = ANY4, .destination = V4(10, 20, 0, 2, 32)},
	 {IN, OUT, false, false},
	 "1 1\nan IPsec policy (dir fwd src 0.0.0.0/0 dst 10.20.0.2 priority 5) lets packets on "
	 "to 10.20.0.2 (rule 1) only if they came by esp, but XDP asks no policies, and they "
	 "leave all the same; name another target, or allow them by a policy before it\n"
	 "ip xfrm policy add dst 10.20.0.2 dev in0 dir fwd priority 4 action allow"},
	{"IPv4 that IPsec leaves alone there",
	 RULES,
	 {ESP, .source = ANY4, .destination = ANY4},
	 {IN, OUT, true, false},
	 "none"},
	{"which is another matter than how it came",
	 RULES,
	 {ESP, .source = ANY4, .destination = ANY4},
	 {IN, OUT, false, true},
	 "3 1\nan IPsec policy (dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 5) demands esp for "
	 "packets to 10.20.0.2 (rule 1, and 2 rules more), but XDP asks no policies, and they "
	 "leave in plaintext; name another target, or allow them by a policy before it\n"
	 "ip xfrm policy add dst 10.20.0.2 dev out0 dir out priority 4 action allow"},
};

static void finds(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct xfrm_policy policy = rows[i].policy;
		const struct xfrm_policies policies = {&policy, 1};
		char why[BYPASS_WHY_SIZE], command[BYPASS_COMMAND_SIZE], got[1024] = "none";
		struct config_problems problems = {0};
		struct config config;
		struct bypass bypass;

		assert_int_equal(config_load_text(&config, "row", rows[i].config,
						  strlen(rows[i].config), NULL, 0, &problems),
				 0);
		if (bypass_find_among(&bypass, &config, &policies, &rows[i].way,
				      &(struct progress){0}))
			snprintf(got, sizeof(got), "%zu %zu\n%s\n%s", bypass.rules, bypass.rule,
				 bypass_explain(&bypass, why),
				 bypass_allow(&bypass, "in0", "out0", command));
		failed += row_differs(rows[i].sentence, got, rows[i].expected);
		config_clear(&config);
		config_problems_clear(&problems);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
