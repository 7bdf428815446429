// SPDX-License-Identifier: GPL-2.0-only
/* The plans of `tune` for the hosts in facts/. */
#include <inttypes.h>
#include <jansson.h>

#include "tests/unit/check/facts.h"
#include "tune/tune.h"
#include "tests/unit/unit.h"

#define LISTEN  "listen: {interface: ens5}\n"
#define NATIVE  "listen: {interface: ens5, xdp_mode: native}\n"
#define GENERIC "listen: {interface: ens5, xdp_mode: generic}\n"
#define UNCUT   "forward: {interface: ens6, mtu: 1500, oversize: drop}\n"
#define KEEP    "forward: {interface: ens6, mtu: 1500, oversize: drop, next_hop: keep}\n"
#define RULES                                               \
	"nat:\n- {match: {source_port: 1}, to: 10.0.0.9}\n" \
	"- {match: {source_port: 1}, to: 'fd00::9'}\n"

#define FRESH_LINKS                                                     \
	"ens5 mtu 9001 3498 interrupts\nens5 channels 8 4 interrupts\n" \
	"ens6 mtu 9001 3498 interrupts\nens6 channels 8 4 interrupts\n"
#define FRESH_RECEIVE "ens5 rx-ring 1024 8192 interrupts\nens5 adaptive-rx 1 0\n"
#define FRESH_IDLE                                   \
	"cpu/cpu[0-9]*/cpuidle/state2/disable 0 1\n" \
	"cpu/cpu[0-9]*/cpuidle/state3/disable 0 1\n"
#define FRESH_ZEROES                                                          \
	"net/ipv4/conf/all/rp_filter 2 0\nnet/ipv4/conf/ens5/rp_filter 2 0\n" \
	"net/ipv4/conf/all/send_redirects 1 0\nnet/ipv4/conf/ens5/send_redirects 1 0\n"

static const struct {
	const char *sentence;
	const char *facts;
	const char *change;
	const char *config;
	const char *expected; /* NAME BEFORE AFTER [interrupts] [skipped] */
} rows[] = {
	{"what is right is left alone", "virtio", NULL, LISTEN UNCUT RULES, ""},
	{"ENA 2.17 takes any MTU and all channels", "ena-2.17", NULL, LISTEN UNCUT RULES, ""},
	{"an instance as EC2 starts it", "ena-fresh", NULL, NATIVE UNCUT RULES,
	 FRESH_LINKS FRESH_RECEIVE
	 "net/ipv4/conf/ens6/forwarding 0 1\nnet/ipv4/conf/ens5/forwarding 0 1\n"
	 "net/ipv6/conf/ens6/accept_ra 1 2\nnet/ipv6/conf/ens6/forwarding 0 1\n" FRESH_ZEROES
		 FRESH_IDLE},
	{"a kernel that can forward IPv6 from one interface", "ena-fresh",
	 "{'listen': {'force_forwarding6': 0}}", NATIVE UNCUT RULES,
	 FRESH_LINKS FRESH_RECEIVE
	 "net/ipv4/conf/ens6/forwarding 0 1\nnet/ipv4/conf/ens5/forwarding 0 1\n"
	 "net/ipv6/conf/ens6/accept_ra 1 2\nnet/ipv6/conf/ens6/forwarding 0 1\n"
	 "net/ipv6/conf/ens5/force_forwarding 0 1\n" FRESH_ZEROES FRESH_IDLE},
	{"without rules for IPv6 it is not touched", "ena-fresh", NULL,
	 NATIVE UNCUT "nat: [{match: {source_port: 1}, to: 10.0.0.9}]\n",
	 FRESH_LINKS FRESH_RECEIVE
	 "net/ipv4/conf/ens6/forwarding 0 1\nnet/ipv4/conf/ens5/forwarding 0 1\n" FRESH_ZEROES
		 FRESH_IDLE},
	{"who passes nothing and asks for no next hops needs no forwarding", "ena-fresh", NULL,
	 NATIVE KEEP RULES, FRESH_LINKS FRESH_RECEIVE FRESH_IDLE},
	{"generic mode knows no limits", "ena-fresh", NULL, GENERIC KEEP RULES,
	 FRESH_RECEIVE FRESH_IDLE},
	{"what runs is not interrupted", "ena-fresh",
	 "{'listen': {'xdp_id': 4, 'xdp_owner': 'instance', 'xdp_mode': 'generic'}}", LISTEN KEEP,
	 "ens5 mtu 9001 3498 interrupts skipped\nens5 channels 8 4 interrupts skipped\n"
	 "ens6 mtu 9001 3498 interrupts\nens6 channels 8 4 interrupts\n"
	 "ens5 rx-ring 1024 8192 interrupts skipped\nens5 adaptive-rx 1 0\n" FRESH_IDLE},
	{"forward.mtu is not undercut", "ena-in-tree", "{'forward': {'mtu': 9001}}",
	 LISTEN "forward: {interface: ens6, mtu: 4000, oversize: drop, next_hop: keep}\n",
	 "ens6 mtu 9001 3498 interrupts skipped\n"},
	{"one arm is one interface", "ena-in-tree",
	 "{'listen': {'mtu': 9001}, 'forward': {'name': 'ens5', 'mtu': 9001}}",
	 LISTEN "forward: {next_hop: keep}\n", "ens5 mtu 9001 3498 interrupts\n"},
	{"interrupts are held back as long as the ring bears it", "virtio",
	 "{'listen': {'rx_usecs': 1000}}", LISTEN KEEP, "ens5 rx-usecs 1000 64\n"},
	{"less at a higher rate", "virtio", "{'listen': {'rx_usecs': 1000}}",
	 LISTEN KEEP "monitor: {target_pps: 2000000}\n", "ens5 rx-usecs 1000 16\n"},
	{"less delay than that is left alone", "virtio", "{'listen': {'rx_usecs': 8}}", LISTEN KEEP,
	 ""},
	{"virtio_net: a channel to send from for each CPU", "virtio", "{'listen': {'channels': 8}}",
	 LISTEN KEEP, "ens5 channels 8 4 interrupts\n"},
	{"not while it counts those it took for a program", "virtio",
	 "{'listen': {'channels': 8, 'xdp_id': 7, 'xdp_mode': 'native'}}", LISTEN KEEP, ""},
	{"not where there would be none left to receive", "virtio",
	 "{'listen': {'channels': 8}, 'host': {'cpus': 8}}", LISTEN KEEP, ""},
	{"a driver that may take less", "virtio",
	 "{'listen': {'mtu': 9000, 'multi_buffer': false}}", LISTEN KEEP,
	 "ens5 mtu 9000 3498 interrupts\n"},
	{"a driver that cannot is left alone", "virtio",
	 "{'listen': {'mtu': 9000, 'multi_buffer': false, 'native': false}}", LISTEN KEEP, ""},
	{"what is not known is left alone", "virtio",
	 "{'listen': {'rx_ring': null, 'rx_ring_max': null, 'rp_filter': null,"
	 " 'forwarding4': null}, 'host': {'rp_filter': null, 'idle_state': null}}",
	 LISTEN UNCUT, ""},
};

static void plans(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tune_plan plan;
		struct config config;
		struct host host;
		char got[4096] = "", name[TUNE_NAME_SIZE];
		size_t used = 0;

		facts_load(&host, rows[i].facts, rows[i].change);
		facts_config(&config, rows[i].config);
		tune_plan(&host, &config, "config", &plan);
		for (size_t j = 0; j < plan.count && used < sizeof(got); j++) {
			const struct tune_setting *setting = &plan.list[j];

			used += (size_t)snprintf(got + used, sizeof(got) - used,
						 "%s %" PRId64 " %" PRId64 "%s%s\n",
						 tune_name(setting->kind, setting->object, name),
						 setting->before, setting->after,
						 tune_interrupts(setting->kind) ? " interrupts"
										: "",
						 *setting->skipped ? " skipped" : "");
		}
		failed += row_differs(rows[i].sentence, got, rows[i].expected);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

static const struct {
	const char *sentence;
	const char *change;
	const char *expected;
} waits[] = {
	{"its own instance", "{'listen': {'xdp_id': 4, 'xdp_owner': 'instance'}}",
	 "ens5 forwards now, which this would interrupt; first: vxlan-pipeline stop --instance "
	 "config"},
	{"another instance",
	 "{'listen': {'xdp_id': 4, 'xdp_owner': 'ours', 'xdp_instance': 'blue'}}",
	 "ens5 forwards now, which this would interrupt; first: vxlan-pipeline stop --instance "
	 "blue"},
	{"the way out of an instance, which is not known which",
	 "{'listen': {'xdp_id': 4, 'xdp_owner': 'ours'}}",
	 "ens5 serves an instance, which this would interrupt; first: vxlan-pipeline stop "
	 "--instance NAME, one that ls /sys/fs/bpf/vxlan-pipeline names"},
	{"somebody else's program",
	 "{'listen': {'xdp_id': 4, 'xdp_owner': 'foreign', 'xdp_name': 'theirs'}}",
	 "ens5 carries an XDP program, whose traffic this would interrupt; first: stop what "
	 "attached it"},
	{"a program of which this process may not know more", "{'listen': {'xdp_id': 4}}",
	 "ens5 carries an XDP program, whose traffic this would interrupt; first: stop what "
	 "attached it"},
	{"none", NULL, ""},
};

/* What to stop before `tune` changes the MTU, which is the first setting here. */
static void what_waits(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		struct tune_plan plan;
		struct config config;
		struct host host;

		facts_load(&host, "ena-fresh", waits[i].change);
		facts_config(&config, LISTEN KEEP);
		tune_plan(&host, &config, "config", &plan);
		assert_true(plan.count > 0 && plan.list[0].kind == TUNE_MTU);
		failed += row_differs(waits[i].sentence, plan.list[0].skipped, waits[i].expected);
		config_clear(&config);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(plans), cmocka_unit_test(what_waits)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
