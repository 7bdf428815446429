/* SPDX-License-Identifier: GPL-2.0-only */
/* Hosts, configurations, and what `check` finds; for test_check.c. */
#ifndef CHECK_ROWS_H
#define CHECK_ROWS_H

#include <stddef.h>

#define LISTEN  "listen: {interface: ens5, sources: [10.0.0.0/8]}\n"
#define NATIVE  "listen: {interface: ens5, sources: [10.0.0.0/8], xdp_mode: native}\n"
#define GENERIC "listen: {interface: ens5, sources: [10.0.0.0/8], xdp_mode: generic}\n"
#define CUT     "forward: {interface: ens6, mtu: 1500}\n"
#define UNCUT   "forward: {interface: ens6, mtu: 1500, oversize: drop}\n"
#define KEEP    "forward: {interface: ens6, mtu: 1500, oversize: drop, next_hop: keep}\n"
#define RULES                                               \
	"nat:\n- {match: {source_port: 1}, to: 10.0.0.9}\n" \
	"- {match: {source_port: 1}, to: 'fd00::9'}\n"

#define NO_RULES "nat: []\n"
/* Added to configurations that have no rules, or no HTTP address. */
#define SERVED   "http: {listen: 0.0.0.0:9789}\n"
#define ONE_RULE "nat:\n- {match: {source_port: 1}, to: 10.0.0.9}\n"

/* Findings that every host on EC2 has, since it cannot see these facts from within. */
#define EC2                                                                   \
	"warn source_dest_check: aws ec2 modify-network-interface-attribute " \
	"--network-interface-id eni-0a1b2c3d4e5f60006 --no-source-dest-check\n"
#define LIMIT "warn fragment_limit: dkms install amzn-drivers/2.17.0\n"

struct row {
	const char *sentence;
	const char *facts;
	const char *change; /* of the facts; NULL: none */
	const char *config;
	const char *expected; /* the findings that are not ok: "STATUS CHECK: FIX" */
};

static const struct row right[] = {
	{"virtio_net", "virtio", NULL, LISTEN CUT RULES, ""},
	{"in-tree ENA: only what cannot be seen", "ena-in-tree", NULL, NATIVE UNCUT RULES, EC2},
	{"ENA 2.17 at 9001 with all channels", "ena-2.17", NULL, NATIVE UNCUT RULES, EC2},
	{"not at home, no interface of EC2", "ena-in-tree", "{'host': {'ec2': false}}",
	 LISTEN UNCUT, ""},
	{"nothing is passed, so nothing about passing matters", "virtio",
	 "{'host': {'rp_filter': 1, 'send_redirects': 1},"
	 " 'listen': {'forwarding4': 0, 'forwarding6': 0, 'rp_filter': 1}}",
	 LISTEN KEEP RULES, ""},
	{"no rule for IPv6, no need to forward it", "virtio",
	 "{'listen': {'forwarding6': 0}, 'forward': {'forwarding6': 0}}", LISTEN CUT, ""},
	{"this instance's own program", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'instance', 'xdp_mode': 'native'},"
	 " 'forward': {'xdp_id': 8, 'xdp_owner': 'ours', 'xdp_mode': 'native'}}",
	 LISTEN CUT, ""},
	{"virtio_net counts the channels that it took for the program", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'instance', 'xdp_mode': 'native',"
	 " 'channels': 8}, 'forward': {'xdp_id': 8, 'xdp_mode': 'native', 'channels': 8}}",
	 LISTEN CUT, ""},
	{"any program will do on the way out", "virtio",
	 "{'forward': {'xdp_id': 8, 'xdp_owner': 'foreign', 'xdp_mode': 'native'}}", LISTEN CUT,
	 ""},
	{"generic mode needs nothing of the driver", "ena-in-tree",
	 "{'listen': {'mtu': 9001, 'channels': 8}, 'host': {'ec2': false}}", GENERIC UNCUT, ""},
	{"ENA says that it has no native XDP while it has too many channels", "ena-in-tree",
	 "{'listen': {'native': false}, 'host': {'ec2': false}}", NATIVE UNCUT, ""},
	{"ENA, and then nothing of redirects, either", "ena-in-tree",
	 "{'listen': {'native': false, 'redirect': false}, 'host': {'ec2': false}}", NATIVE UNCUT,
	 ""},
	{"what is sent back needs no redirects", "virtio",
	 "{'listen': {'driver': 'nfp', 'redirect': false}, 'forward': {'name': 'ens5',"
	 " 'driver': 'nfp', 'redirect': false}}",
	 LISTEN "forward: {mtu: 1500, oversize: drop}\n", ""},
	{"generic mode redirects whatever the driver does", "virtio",
	 "{'listen': {'driver': 'nfp', 'redirect': false}, 'forward': {'driver': 'nfp',"
	 " 'xdp_id': 8, 'xdp_mode': 'native'}}",
	 GENERIC UNCUT, ""},
	{"drivers that may take redirected frames once they carry a program", "virtio",
	 "{'forward': {'driver': 'igb'}}", NATIVE UNCUT, ""},
	{"a program in generic mode is none to the driver", "virtio",
	 "{'forward': {'driver': 'igb', 'xdp_id': 8, 'xdp_mode': 'generic'}}", NATIVE UNCUT, ""},
	{"a refusal of before", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'instance', 'xdp_mode': 'native',"
	 " 'refusal': 'ens5: Failed to set xdp program'}, 'forward': {'xdp_id': 8}}",
	 LISTEN CUT, ""},
	{"packets as the mirror cuts them to 1446", "virtio", "{'listen': {'mtu': 1500}}",
	 "listen: {interface: ens5, sources: [10.0.0.0/8]}\nforward: {interface: ens6, mtu: "
	 "1446}\n",
	 ""},
};

static const struct row ways[] = {
	{"a tunnel without Ethernet on the way out", "virtio",
	 "{'forward': {'type': 65534, 'kind': 'wireguard'}}", LISTEN UNCUT,
	 "fail ethernet: ip -d link show dev ens6\n"},
	{"the loopback interface where packets arrive", "virtio", "{'listen': {'type': 772}}",
	 LISTEN UNCUT, "fail ethernet: ip -d link show dev ens5\n"},
	{"one arm of no Ethernet is one finding", "virtio",
	 "{'listen': {'type': 512}, 'forward': {'name': 'ens5', 'type': 512}}",
	 LISTEN "forward: {mtu: 1500, oversize: drop}\n",
	 "fail ethernet: ip -d link show dev ens5\n"},
	{"Ethernet of any kind", "virtio",
	 "{'listen': {'type': 1, 'kind': 'vlan', 'arp': false},"
	 " 'forward': {'type': 1, 'kind': 'bond', 'arp': true}}",
	 LISTEN UNCUT, ""},
	{"nobody is asked for next hops", "virtio", "{'forward': {'type': 1, 'arp': false}}",
	 LISTEN UNCUT, "warn ethernet: ip link set dev ens6 arp on\n"},
	{"which matters to no MAC that is told", "virtio", "{'forward': {'type': 1, 'arp': false}}",
	 LISTEN KEEP, ""},
	{"one of a bond's ports sees a share", "virtio",
	 "{'listen': {'master': 'bond0', 'master_kind': 'bond'}}", LISTEN UNCUT,
	 "warn ethernet: -\n"},
	{"a bridge's port may be meant", "virtio",
	 "{'listen': {'master': 'br0', 'master_kind': 'bridge'}}", LISTEN UNCUT, ""},
	{"routes lead out of the bridge", "virtio",
	 "{'forward': {'master': 'br0', 'master_kind': 'bridge'}}", LISTEN UNCUT,
	 "warn ethernet: -\n"},
	{"and out of the bond", "virtio", "{'forward': {'master': 'bond0', 'master_kind': 'bond'}}",
	 LISTEN UNCUT, "warn ethernet: -\n"},
	{"where no routes are asked its ports will do", "virtio",
	 "{'forward': {'master': 'br0', 'master_kind': 'bridge'}}", LISTEN KEEP, ""},
	{"members of a VRF have routes", "virtio",
	 "{'listen': {'master': 'red', 'master_kind': 'vrf'},"
	 " 'forward': {'master': 'red', 'master_kind': 'vrf'}}",
	 LISTEN UNCUT, ""},
	{"tags that generic mode does not see", "virtio",
	 "{'listen': {'rx_vlan': true, 'rx_stag': false, 'rx_vlan_fixed': false}}", GENERIC UNCUT,
	 "warn vlan_tags: ethtool -K ens5 rxvlan off\n"},
	{"of both sorts", "virtio",
	 "{'listen': {'rx_vlan': true, 'rx_stag': true, 'rx_vlan_fixed': false}}", GENERIC UNCUT,
	 "warn vlan_tags: ethtool -K ens5 rxvlan off rx-vlan-stag-hw-parse off\n"},
	{"which cannot be had otherwise", "virtio",
	 "{'listen': {'rx_vlan': true, 'rx_stag': false, 'rx_vlan_fixed': true}}", GENERIC UNCUT,
	 "warn vlan_tags: -\n"},
	{"native mode takes them off", "virtio",
	 "{'listen': {'rx_vlan': true, 'rx_stag': true, 'rx_vlan_fixed': false}}", NATIVE UNCUT,
	 ""},
	{"on the way out there is none", "virtio",
	 "{'listen': {'rx_vlan': false, 'rx_stag': false}, 'forward': {'rx_vlan': true}}",
	 GENERIC UNCUT, ""},
	{"where native mode is not to be had", "virtio",
	 "{'listen': {'driver': 'e1000e', 'native': null, 'rx_vlan': true, 'rx_stag': false}}",
	 LISTEN UNCUT, "warn xdp_mode: -\nwarn vlan_tags: ethtool -K ens5 rxvlan off\n"},
	{"where this instance had to do without", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'instance', 'xdp_mode': 'generic',"
	 " 'rx_vlan': true, 'rx_stag': false}}",
	 LISTEN UNCUT,
	 "warn xdp_mode: systemctl stop vxlan-pipeline; systemctl start vxlan-pipeline\n"
	 "warn vlan_tags: ethtool -K ens5 rxvlan off\n"},
	{"an IPsec policy about a target", "virtio",
	 "{'host': {'ipsec_rules': 1, 'ipsec_rule': 1, 'ipsec_target': '10.0.0.9',"
	 " 'ipsec_policy': 'dir out src 0.0.0.0/0 dst 10.0.0.9 priority 5',"
	 " 'ipsec_demand': 'esp', 'ipsec_direction': 'out', 'ipsec_priority': 5}}",
	 LISTEN UNCUT,
	 "fail ipsec: ip xfrm policy add dst 10.0.0.9 dev ens6 dir out priority 4 action allow\n"},
	{"one that forbids what is forwarded", "virtio",
	 "{'host': {'ipsec_rules': 1, 'ipsec_rule': 1, 'ipsec_target': '10.0.0.9',"
	 " 'ipsec_policy': 'default fwd block',"
	 " 'ipsec_demand': 'block', 'ipsec_direction': 'fwd', 'ipsec_priority': 4294967295}}",
	 LISTEN UNCUT,
	 "fail ipsec: ip xfrm policy add dst 10.0.0.9 dev ens5 dir fwd priority 1 action allow\n"},
	{"one about how they came, after which nothing is in plaintext that was not", "virtio",
	 "{'host': {'ipsec_rules': 1, 'ipsec_rule': 1, 'ipsec_target': '10.0.0.9',"
	 " 'ipsec_policy': 'dir fwd src 0.0.0.0/0 dst 10.0.0.9 priority 0',"
	 " 'ipsec_demand': 'esp', 'ipsec_direction': 'fwd', 'ipsec_priority': 0}}",
	 LISTEN UNCUT, "warn ipsec: ip xfrm policy list dir fwd\n"},
	{"one about unmatched packets", "virtio",
	 "{'host': {'ipsec_rules': 1, 'ipsec_rule': 0, 'ipsec_target': null,"
	 " 'ipsec_policy': 'dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 5',"
	 " 'ipsec_demand': 'esp', 'ipsec_direction': 'out', 'ipsec_priority': 5}}",
	 LISTEN "forward: {interface: ens6, mtu: 1500, unmatched: forward, oversize: drop}\n",
	 "fail ipsec: ip xfrm policy add dev ens6 dir out priority 4 action allow\n"},
	{"one that was found for other rules", "virtio",
	 "{'host': {'ipsec_rules': 1, 'ipsec_rule': 7, 'ipsec_target': '10.0.0.9',"
	 " 'ipsec_policy': 'dir out src 0.0.0.0/0 dst 10.0.0.9 priority 5',"
	 " 'ipsec_demand': 'esp', 'ipsec_direction': 'out', 'ipsec_priority': 5}}",
	 LISTEN UNCUT, ""},
	{"none", "virtio", "{'host': {'ipsec_rules': 0}}", LISTEN UNCUT, ""},
	{"a target that is this host", "virtio",
	 "{'host': {'local': 1, 'local_rule': 2, 'local_target': 'fd00::9'}}", LISTEN UNCUT RULES,
	 "warn targets: -\n"},
	{"a target that is this host, whose packets leave", "virtio",
	 "{'host': {'local': 1, 'local_rule': 1, 'local_target': '10.0.0.9'}}", LISTEN KEEP RULES,
	 "warn targets: -\n"},
	{"a target that was another rule's", "virtio",
	 "{'host': {'local': 1, 'local_rule': 1, 'local_target': '10.0.0.8'}}", LISTEN UNCUT RULES,
	 ""},
	{"one without a route, and one that is this host", "virtio",
	 "{'host': {'local': 1, 'local_rule': 2, 'local_target': 'fd00::9',"
	 " 'unrouted': 1, 'unrouted_rule': 1, 'unrouted_target': '10.0.0.9'}}",
	 LISTEN UNCUT RULES, "warn targets: ip route show dev ens6\nwarn targets: -\n"},
};

static const struct row drivers[] = {
	{"ENA at EC2's own MTU, auto", "ena-in-tree", "{'listen': {'mtu': 9001}}", LISTEN UNCUT,
	 "warn xdp_mtu: ip link set dev ens5 mtu 3498\n" EC2},
	{"the same, native", "ena-in-tree", "{'listen': {'mtu': 9001}}", NATIVE UNCUT,
	 "fail xdp_mtu: ip link set dev ens5 mtu 3498\n" EC2},
	{"its limits bind on the way out, too", "ena-in-tree",
	 "{'forward': {'mtu': 9001, 'channels': 8}}", NATIVE UNCUT,
	 "fail xdp_mtu: ip link set dev ens6 mtu 3498\n"
	 "fail channels: ethtool -L ens6 combined 4\n" EC2},
	{"forward.mtu is above its limit", "ena-in-tree", "{'forward': {'mtu': 9001}}",
	 NATIVE "forward: {interface: ens6, mtu: 5000, oversize: drop}\n",
	 "fail xdp_mtu: -\nwarn tunnel_mtu: -\n" EC2},
	{"ENA with a channel too many", "ena-in-tree", "{'listen': {'channels': 5}}", NATIVE UNCUT,
	 "fail channels: ethtool -L ens5 combined 4\n" EC2},
	{"amzn-drivers takes four bytes more", "ena-in-tree",
	 "{'listen': {'mtu': 3503, 'driver_version': '2.12.0g'}}", NATIVE UNCUT,
	 "fail xdp_mtu: ip link set dev ens5 mtu 3502\n" EC2},
	{"2.17 on a kernel without xdp.frags is as before", "ena-2.17",
	 "{'host': {'xdp_frags': false}}", NATIVE UNCUT,
	 "warn kernel: -\n"
	 "fail xdp_mtu: ip link set dev ens5 mtu 3502\n"
	 "fail xdp_mtu: ip link set dev ens6 mtu 3502\n"
	 "fail channels: ethtool -L ens5 combined 4\n"
	 "fail channels: ethtool -L ens6 combined 4\n" EC2},
	{"ENA 2.13.0 panics", "ena-in-tree", "{'listen': {'driver_version': '2.13.0g'}}",
	 LISTEN UNCUT, "fail driver: dkms install amzn-drivers/2.17.0\n" EC2},
	{"2.13.1 does not", "ena-in-tree", "{'listen': {'driver_version': '2.13.1g'}}",
	 LISTEN UNCUT, EC2},
	{"RHEL 9.3 as it came", "ena-in-tree",
	 "{'host': {'kernel': '5.14.0-362.8.1.el9_3.x86_64'},"
	 " 'listen': {'driver_version': '5.14.0-362.8.1.el9_3.x86_64'},"
	 " 'forward': {'driver_version': '5.14.0-362.8.1.el9_3.x86_64'}}",
	 NATIVE UNCUT,
	 "fail driver: dnf upgrade kernel\n"
	 "fail driver: dnf upgrade kernel\n" EC2},
	{"RHEL 9.4 with a driver of its own", "ena-in-tree",
	 "{'host': {'kernel': '5.14.0-427.13.1.el9_4.x86_64'},"
	 " 'listen': {'driver_version': '2.14.0g'}, 'forward': {'driver_version': '2.14.0g'}}",
	 NATIVE UNCUT, EC2},
	{"somebody took the program off the way out", "ena-in-tree",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'instance', 'xdp_mode': 'native'}}", LISTEN UNCUT,
	 "warn egress: systemctl reload vxlan-pipeline\n" EC2},
	{"another instance sends there, whose program gives way", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'passing', 'xdp_mode': 'native',"
	 " 'xdp_instance': 'other'}}",
	 LISTEN CUT, ""},
	{"but not to generic mode", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'passing', 'xdp_mode': 'native',"
	 " 'xdp_instance': 'other'}}",
	 GENERIC UNCUT, "fail xdp_program: vxlan-pipeline stop --instance other\n"},
	{"one arm on in-tree ENA", "ena-in-tree", "{'forward': {'name': 'ens5'}}",
	 LISTEN "forward: {mtu: 1500, oversize: drop}\n", "warn single_arm: -\n" EC2},
	{"the interface that one is logged in through", "ena-in-tree",
	 "{'listen': {'default_route': true}}", LISTEN UNCUT,
	 EC2 "warn management: systemd-run --on-active=5min vxlan-pipeline stop --instance "
	     "config\n"},
	{"virtio_net without a channel for each CPU", "virtio", "{'listen': {'channels_max': 7}}",
	 LISTEN CUT, "warn channels: ethtool -L ens5 combined 3\n"},
	{"virtio_net with more than there are CPUs, and too few left", "virtio",
	 "{'forward': {'channels': 5}}", LISTEN CUT, "fail channels: ethtool -L ens6 combined 4\n"},
	{"where nothing is sent from XDP they only share", "virtio", "{'listen': {'channels': 5}}",
	 LISTEN CUT, "warn channels: ethtool -L ens5 combined 4\n"},
	{"with one arm it is where packets leave, too", "virtio",
	 "{'listen': {'channels': 5}, 'forward': {'name': 'ens5', 'channels': 5}}",
	 LISTEN "forward: {mtu: 1500}\n", "fail channels: ethtool -L ens5 combined 4\n"},
	{"more than there are CPUs, and enough left", "virtio",
	 "{'listen': {'channels': 5, 'channels_max': 9}}", LISTEN CUT, ""},
	{"where there can be none, there is nothing to do", "virtio",
	 "{'listen': {'channels': 1, 'channels_max': 1}}", LISTEN CUT, ""},
	{"a driver that cannot, auto", "virtio",
	 "{'listen': {'driver': 'vmxnet3', 'native': null}}", LISTEN UNCUT, "warn xdp_mode: -\n"},
	{"a driver that cannot on the way out, native", "virtio",
	 "{'forward': {'driver': 'bridge', 'native': false}}", NATIVE UNCUT, "fail egress: -\n"},
	{"a driver that nobody knows", "virtio", "{'listen': {'driver': 'own', 'native': null}}",
	 LISTEN UNCUT, "warn xdp_mode: -\n"},
	{"a driver that redirects nothing, auto", "virtio",
	 "{'listen': {'driver': 'nfp', 'redirect': false}}", LISTEN UNCUT, "warn xdp_mode: -\n"},
	{"the same, native", "virtio", "{'listen': {'driver': 'nfp', 'redirect': false}}",
	 NATIVE UNCUT, "fail xdp_mode: -\n"},
	{"a start in native mode would not be better", "virtio",
	 "{'listen': {'driver': 'nfp', 'redirect': false, 'xdp_id': 7, 'xdp_owner': 'instance',"
	 " 'xdp_mode': 'generic'}}",
	 LISTEN UNCUT, "warn xdp_mode: -\n"},
	{"a driver that takes no redirected frames, auto", "virtio",
	 "{'forward': {'driver': 'nfp', 'xdp_id': 8, 'xdp_mode': 'native'}}", LISTEN UNCUT,
	 "warn egress: -\n"},
	{"the same, native", "virtio",
	 "{'forward': {'driver': 'nfp', 'xdp_id': 8, 'xdp_mode': 'native'}}", NATIVE UNCUT,
	 "fail egress: -\n"},
	{"a veth whose peer takes none", "virtio",
	 "{'forward': {'driver': 'veth', 'transmit': false}}", LISTEN UNCUT, "warn egress: -\n"},
	{"an MTU that may be too large", "virtio",
	 "{'listen': {'mtu': 9000, 'multi_buffer': false}}", NATIVE UNCUT,
	 "warn xdp_mtu: ip link set dev ens5 mtu 3498\n"},
	{"native could be had by now", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'instance', 'xdp_mode': 'generic'}}", LISTEN UNCUT,
	 "warn xdp_mode: systemctl stop vxlan-pipeline; systemctl start vxlan-pipeline\n"},
	{"native is asked for by now, and that restart is not kept from it", "virtio",
	 "{'listen': {'xdp_id': 7, 'xdp_owner': 'instance', 'xdp_mode': 'generic'}}", NATIVE UNCUT,
	 "warn xdp_mode: systemctl stop vxlan-pipeline; systemctl start vxlan-pipeline\n"},
};

static const struct row programs[] = {
	{"somebody else's program", "virtio",
	 "{'listen': {'xdp_id': 9, 'xdp_owner': 'foreign', 'xdp_mode': 'native',"
	 " 'xdp_name': 'xdp_filter'}}",
	 LISTEN UNCUT, "fail xdp_program: ip link set dev ens5 xdp off\n"},
	{"in generic mode", "virtio",
	 "{'listen': {'xdp_id': 9, 'xdp_owner': 'foreign', 'xdp_mode': 'generic',"
	 " 'xdp_name': 'xdp_filter'}}",
	 LISTEN UNCUT, "fail xdp_program: ip link set dev ens5 xdpgeneric off\n"},
	{"held by a link", "virtio",
	 "{'listen': {'xdp_id': 9, 'xdp_owner': 'foreign', 'xdp_mode': 'native',"
	 " 'xdp_name': 'xdp_filter', 'xdp_link': 12}}",
	 LISTEN UNCUT, "fail xdp_program: bpftool link detach id 12\n"},
	{"another instance's", "virtio",
	 "{'listen': {'xdp_id': 9, 'xdp_owner': 'ours', 'xdp_mode': 'native',"
	 " 'xdp_name': 'vxlan_pipeline', 'xdp_instance': 'blue_1', 'xdp_link': 12}}",
	 LISTEN UNCUT, "fail xdp_program: vxlan-pipeline stop --instance blue_1\n"},
	{"one of ours of which nothing is pinned", "virtio",
	 "{'listen': {'xdp_id': 9, 'xdp_owner': 'ours', 'xdp_mode': 'native',"
	 " 'xdp_name': 'vxlan_pipeline'}}",
	 LISTEN UNCUT, "fail xdp_program: ls /sys/fs/bpf/vxlan-pipeline\n"},
	{"whose it is takes root to see", "virtio",
	 "{'listen': {'xdp_id': 9, 'xdp_mode': 'native'}, 'host': {'cap_bpf': false,"
	 " 'cap_net_admin': false, 'cap_perfmon': false, 'xdp': null}}",
	 LISTEN UNCUT,
	 "warn permission: sudo vxlan-pipeline check\n"
	 "warn xdp_program: sudo vxlan-pipeline check\n"},
	{"a refusal in the kernel's log", "virtio",
	 "{'listen': {'refusal': 'ens5: Failed to set xdp program'}}", LISTEN UNCUT,
	 "warn xdp_refused: -\n"},
};

static const struct row systems[] = {
	{"no XDP", "virtio", "{'host': {'xdp': false, 'xdp_link': null}}", LISTEN UNCUT,
	 "fail kernel: -\n"},
	{"a container that keeps bpf(2) from who has the privileges", "virtio",
	 "{'host': {'xdp': null, 'xdp_link': null}}", LISTEN UNCUT, "fail kernel: -\n"},
	{"a filter of system calls that pretends that there is no BPF", "virtio",
	 "{'host': {'xdp': false, 'bpf_refused': 'not permitted to use BPF: a filter'}}",
	 LISTEN UNCUT, "fail kernel: -\n"},
	{"a refusal for want of privileges is told once", "virtio",
	 "{'host': {'xdp': null, 'cap_bpf': false, 'bpf_refused': 'it lacks CAP_BPF'}}",
	 LISTEN UNCUT, "warn permission: sudo vxlan-pipeline check\n"},
	{"no privileges to ask with", "virtio", "{'host': {'xdp': null, 'cap_bpf': false}}",
	 LISTEN UNCUT, "warn permission: sudo vxlan-pipeline check\n"},
	{"Linux 5.8", "virtio",
	 "{'host': {'xdp_link': false, 'xdp_broadcast': false, 'xdp_frags': false}}", LISTEN UNCUT,
	 "fail kernel: -\n"},
	{"Linux 5.10, and much to fragment", "virtio",
	 "{'host': {'xdp_broadcast': false, 'xdp_frags': false}}", LISTEN CUT,
	 "warn fragmenting: -\n"},
	{"no BTF", "virtio", "{'host': {'btf': false}}", LISTEN UNCUT, "warn kernel: -\n"},
	{"no BTF, which takes no privileges to see", "virtio",
	 "{'host': {'btf': false, 'xdp': null, 'cap_bpf': false}}", LISTEN UNCUT,
	 "warn permission: sudo vxlan-pipeline check\nwarn kernel: -\n"},
	{"libbpf of old", "virtio", "{'host': {'libbpf': '0.5'}}", LISTEN UNCUT,
	 "fail libbpf: -\n"},
	{"pins that only the daemon sees", "virtio",
	 "{'host': {'bpffs': false, 'pins_at_risk': true}}", LISTEN UNCUT,
	 "warn bpffs: nsenter --net=/run/netns/NAME vxlan-pipeline run\n"},
	{"pins that the daemon sees, and this process does not", "virtio",
	 "{'host': {'pins_at_risk': false}}", LISTEN UNCUT, ""},
	{"no BPF file system", "virtio", "{'host': {'bpffs': false}}", LISTEN UNCUT,
	 "warn bpffs: mount -t bpf bpf /sys/fs/bpf\n"},
	{"no BPF file system, and no way to mount one, as in a container", "virtio",
	 "{'host': {'bpffs': false, 'cap_sys_admin': false}}", LISTEN UNCUT,
	 "fail bpffs: mount -t bpf bpf /sys/fs/bpf\n"},
	{"no BPF file system, of an account that does not run it", "virtio",
	 "{'host': {'bpffs': false, 'cap_sys_admin': false, 'cap_bpf': false}}", LISTEN UNCUT,
	 "warn permission: sudo vxlan-pipeline check\nwarn bpffs: mount -t bpf bpf /sys/fs/bpf\n"},
	{"no compiler", "virtio", "{'host': {'jit': false}}", LISTEN UNCUT,
	 "warn jit: sysctl -w net.core.bpf_jit_enable=1\n"},
	{"no interface, and nothing more to say of it", "virtio",
	 "{'listen': {'exists': false}, 'forward': {'up': false, 'rx_ring': 1}}", LISTEN UNCUT,
	 "fail interface: ip -br link\n"
	 "warn interface: ip link set dev ens6 up\n"},
	{"an address that is taken", "virtio",
	 "{'host': {'http_free': false, 'http_listen': '[::1]:80'}}",
	 LISTEN UNCUT "http: {listen: '[::1]:80'}\n", "warn http: ss -ltnp 'sport = :80'\n"},
	{"facts of another address", "virtio",
	 "{'host': {'http_free': false, 'http_listen': '[::1]:80'}}",
	 LISTEN UNCUT "http: {listen: '[::1]:81'}\n", ""},
	{"on EC2, an address that no load balancer reaches", "ena-in-tree", NULL,
	 LISTEN UNCUT "http: {listen: 127.0.0.1:9789}\n", "warn http: -\n" EC2},
	{"of IPv6", "ena-in-tree", NULL, LISTEN UNCUT "http: {listen: '[::1]:80'}\n",
	 "warn http: -\n" EC2},
	{"one that it may reach", "ena-in-tree", NULL,
	 LISTEN UNCUT "http: {listen: '10.127.0.1:9789'}\n", EC2},
	{"elsewhere there may be no load balancer", "virtio", NULL,
	 LISTEN UNCUT "http: {listen: 127.0.0.1:9789}\n", ""},
	{"it is taken besides", "ena-in-tree",
	 "{'host': {'http_free': false, 'http_listen': '127.0.0.1:80'}}",
	 LISTEN UNCUT "http: {listen: 127.0.0.1:80}\n",
	 "warn http: ss -ltnp 'sport = :80'\nwarn http: -\n" EC2},
	{"nothing to serve on EC2", "ena-in-tree", NULL, LISTEN UNCUT "http: {listen: off}\n", EC2},
	{"nothing to serve", "virtio", "{'host': {'http_free': false}}",
	 LISTEN UNCUT "http: {listen: off}\n", ""},
	{"names that a shell minds", "virtio",
	 "{'listen': {'name': 'a&b', 'up': false}, 'forward': {'name': 'b$HOME', 'forwarding4': "
	 "0}}",
	 "listen: {interface: a&b, sources: [10.0.0.0/8]}\nforward: {interface: 'b$HOME', mtu: "
	 "1500, oversize: drop}\n",
	 "warn interface: ip link set dev 'a&b' up\n"
	 "warn forwarding: sysctl -w net/ipv4/conf/'b$HOME'/forwarding=1\n"},
	{"no carrier", "virtio", "{'forward': {'carrier': false}}", LISTEN UNCUT,
	 "warn interface: -\n"},
	{"metadata that do not answer", "ena-in-tree",
	 "{'host': {'metadata': false}, 'forward': {'interface_id': null}}", LISTEN UNCUT,
	 "warn source_dest_check: aws ec2 modify-network-interface-attribute "
	 "--no-source-dest-check --network-interface-id $(aws ec2 describe-network-interfaces "
	 "--filters Name=mac-address,Values=02:5e:10:00:00:06 --query "
	 "'NetworkInterfaces[0].NetworkInterfaceId' --output text)\n"},
};

static const struct row traffic[] = {
	{"too small for what is mirrored", "virtio", "{'listen': {'mtu': 1500}}", LISTEN UNCUT,
	 "warn tunnel_mtu: ip link set dev ens5 mtu 1550\n"},
	{"IPv6 around it takes more", "virtio", "{'listen': {'mtu': 1566}}",
	 "listen: {interface: ens5, sources: ['fd00::/8']}\n" UNCUT,
	 "warn tunnel_mtu: ip link set dev ens5 mtu 1570\n"},
	{"larger than any MTU with XDP", "ena-in-tree", "{'forward': {'mtu': 3498}}",
	 LISTEN "forward: {interface: ens6, mtu: 3490, oversize: drop}\n",
	 "warn tunnel_mtu: -\n" EC2},
	{"forward.mtu above the interface's", "virtio", "{'forward': {'mtu': 1400}}", LISTEN UNCUT,
	 "fail forward_mtu: ip link set dev ens6 mtu 1500\n"},
	{"a device that admits nothing to be fragmented", "virtio", "{'forward': {'mtu': 1500}}",
	 LISTEN CUT, "warn fragmenting: ip link set dev ens6 mtu 3460\n"},
	{"a device that admits nothing to be fragmented, and whose MTU is forward.mtu", "virtio",
	 "{'forward': {'mtu': 1500}}", LISTEN "forward: {interface: ens6}\n",
	 "warn fragmenting: -\n"},
	{"no mirror sends more than fits", "virtio",
	 "{'listen': {'mtu': 1550}, 'forward': {'mtu': 1500}}",
	 LISTEN "forward: {interface: ens6}\n", ""},
	{"forward.mtu first, then room to fragment", "virtio", "{'forward': {'mtu': 1500}}",
	 LISTEN "forward: {interface: ens6, mtu: 2000}\n",
	 "fail forward_mtu: ip link set dev ens6 mtu 2000\n"},
	{"a device that admits some of it", "virtio", "{'forward': {'mtu': 2000}}", LISTEN CUT,
	 "warn fragmenting: ip link set dev ens6 mtu 3460\n"},
	{"frames in several buffers, and more than forward.mtu", "ena-2.17", NULL, NATIVE CUT RULES,
	 "warn fragmenting: -\n" EC2},
	{"more than eight fragments", "virtio", NULL,
	 LISTEN "forward: {interface: ens6, mtu: 400}\n", "warn fragmenting: -\n"},
	{"generic mode cannot fragment", "virtio", NULL, GENERIC CUT, "warn fragmenting: -\n"},
	{"ENA's limit on fragments, in-tree", "ena-in-tree", NULL, LISTEN CUT, LIMIT EC2},
	{"tunnels of both families, of which IPv4 leaves more room", "virtio",
	 "{'listen': {'mtu': 1570}, 'forward': {'mtu': 1500}}",
	 "listen: {interface: ens5, sources: [10.0.0.0/8, 'fd00::/8']}\n"
	 "forward: {interface: ens6, mtu: 1500}\n",
	 "warn fragmenting: ip link set dev ens6 mtu 1532\n"},
	{"no room to fragment, and no MTU that gives it", "ena-in-tree",
	 "{'listen': {'mtu': 9001}, 'forward': {'mtu': 8000}}",
	 LISTEN "forward: {interface: ens6, mtu: 8000}\n",
	 "warn xdp_mtu: ip link set dev ens5 mtu 3498\nwarn xdp_mtu: -\nwarn fragmenting: -\n" LIMIT
		 EC2},
	{"which nothing meets that mirrors send", "ena-in-tree",
	 "{'listen': {'mtu': 1550}, 'forward': {'mtu': 1500}}",
	 LISTEN "forward: {interface: ens6}\n", EC2},
	{"a driver that could do without it", "ena-2.17", "{'host': {'frag_bypass': 0}}",
	 LISTEN CUT,
	 "warn fragmenting: -\n"
	 "warn fragment_limit: echo options ena enable_frag_bypass=1 > /etc/modprobe.d/"
	 "vxlan-pipeline-ena.conf # then reboot\n" EC2},
	{"forwarding off where the kernel is asked for next hops", "virtio",
	 "{'forward': {'forwarding4': 0}}", LISTEN UNCUT RULES,
	 "warn forwarding: sysctl -w net/ipv4/conf/ens6/forwarding=1\n"},
	{"forwarding off where no rule is, and packets are passed", "virtio",
	 "{'listen': {'forwarding4': 0, 'forwarding6': 0}, 'forward': {'forwarding4': 0}}",
	 LISTEN "forward: {interface: ens6, mtu: 1500, unmatched: pass, oversize: drop}\n" NO_RULES,
	 "warn forwarding: sysctl -w net/ipv4/conf/ens5/forwarding=1\n"},
	{"where nothing is sent nothing is passed", "virtio",
	 "{'host': {'rp_filter': 1, 'send_redirects': 1}, 'listen': {'forwarding4': 0}}",
	 LISTEN UNCUT NO_RULES, "warn rules: -\n"},
	{"nothing came with a VNI that is listed", "virtio",
	 "{'host': {'listed_vni': 0, 'unlisted_vni': 5}}", LISTEN UNCUT, "warn vnis: -\n"},
	{"which AWS knows", "ena-in-tree",
	 "{'host': {'listed_vni': 0, 'unlisted_vni': 5, 'ec2': true}}", LISTEN UNCUT,
	 "warn vnis: aws ec2 describe-traffic-mirror-sessions --query "
	 "'TrafficMirrorSessions[].VirtualNetworkId'\n" EC2},
	{"another session's come, too", "virtio", "{'host': {'listed_vni': 1, 'unlisted_vni': 5}}",
	 LISTEN UNCUT, ""},
	{"any VNI is taken from now on", "virtio", "{'host': {'listed_vni': 0, 'unlisted_vni': 5}}",
	 "listen: {interface: ens5, vnis: any, sources: [10.0.0.0/8]}\n" UNCUT, ""},
	{"a target without a route", "virtio",
	 "{'host': {'unrouted': 2, 'unrouted_rule': 1, 'unrouted_target': '10.0.0.9'}}",
	 LISTEN UNCUT RULES, "warn targets: ip route show dev ens6\n"},
	{"one of IPv6", "virtio",
	 "{'host': {'unrouted': 1, 'unrouted_rule': 2, 'unrouted_target': 'fd00::9'}}",
	 LISTEN UNCUT RULES, "warn targets: ip -6 route show dev ens6\n"},
	{"facts of other rules", "virtio",
	 "{'host': {'unrouted': 2, 'unrouted_rule': 7, 'unrouted_target': '10.0.0.9'}}",
	 LISTEN UNCUT RULES, ""},
	{"IPv4's filters do not matter to IPv6", "virtio",
	 "{'host': {'rp_filter': 1, 'send_redirects': 1}}",
	 LISTEN UNCUT "nat: [{match: {source_port: 1}, to: 'fd00::9'}]\n", ""},
	{"which matters only where routes are asked", "virtio",
	 "{'host': {'unrouted': 2, 'unrouted_rule': 1, 'unrouted_target': '10.0.0.9'}}",
	 LISTEN KEEP RULES, ""},
	{"forwarding off where packets are passed", "virtio",
	 "{'host': {'forwarding6': 0}, 'listen': {'forwarding4': 0, 'forwarding6': 0}}",
	 LISTEN UNCUT RULES,
	 "warn forwarding: sysctl -w net/ipv4/conf/ens5/forwarding=1\n"
	 "warn forwarding: sysctl -w net.ipv6.conf.all.forwarding=1\n"},
	{"IPv6 from one interface, where the kernel knows how", "virtio",
	 "{'host': {'forwarding6': 0}, 'listen': {'forwarding6': 0, 'force_forwarding6': 0}}",
	 LISTEN UNCUT RULES, "warn forwarding: sysctl -w net/ipv6/conf/ens5/force_forwarding=1\n"},
	{"which is enough", "virtio",
	 "{'host': {'forwarding6': 0}, 'listen': {'forwarding6': 0, 'force_forwarding6': 1}}",
	 LISTEN UNCUT RULES, ""},
	{"what all interfaces forward, one needs not", "virtio",
	 "{'host': {'forwarding6': 1}, 'listen': {'forwarding6': 0}}", LISTEN UNCUT RULES, ""},
	{"a kernel without nftables", "virtio", "{'host': {'nftables': false}}", LISTEN UNCUT,
	 "warn silence: modprobe nf_tables\n"},
	{"rules that somebody has flushed", "virtio",
	 "{'host': {'nftables': true, 'silenced': false}}", LISTEN UNCUT,
	 "warn silence: systemctl restart vxlan-pipeline\n"},
	{"rules that are whole", "virtio", "{'host': {'nftables': true, 'silenced': true}}",
	 LISTEN UNCUT, ""},
	{"anybody may send", "virtio", NULL, "listen: {interface: ens5}\n" UNCUT,
	 "warn sources: -\n"},
	{"reverse path filtering on `all`", "virtio", "{'host': {'rp_filter': 2}}", LISTEN UNCUT,
	 "warn rp_filter: sysctl -w net.ipv4.conf.all.rp_filter=0\n"},
	{"on the interface", "virtio", "{'listen': {'rp_filter': 1}}", LISTEN UNCUT,
	 "warn rp_filter: sysctl -w net/ipv4/conf/ens5/rp_filter=0\n"},
	{"redirects, where the configuration passes", "virtio",
	 "{'host': {'send_redirects': 1}, 'listen': {'send_redirects': 1}}",
	 LISTEN "forward: {interface: ens6, mtu: 1500, oversize: drop, next_hop: keep, "
		"unmatched: pass}\n",
	 "warn send_redirects: sysctl -w net.ipv4.conf.all.send_redirects=0 "
	 "net/ipv4/conf/ens5/send_redirects=0\n"},
	{"a short ring", "virtio", "{'listen': {'rx_ring': 128}}", LISTEN UNCUT,
	 "warn rx_ring: ethtool -G ens5 rx 256\n"},
	{"a driver that guesses when to interrupt", "ena-in-tree", "{'listen': {'adaptive_rx': 1}}",
	 LISTEN UNCUT, EC2 "warn moderation: vxlan-pipeline tune\n"},
	{"interrupts that come late, too", "virtio",
	 "{'listen': {'adaptive_rx': 1, 'rx_usecs': 65}}", LISTEN UNCUT,
	 "warn moderation: vxlan-pipeline tune\nwarn moderation: vxlan-pipeline tune\n"},
	{"as late as tune would have them", "virtio", "{'listen': {'rx_usecs': 64}}", LISTEN UNCUT,
	 ""},
	{"and at a higher rate", "virtio", "{'listen': {'rx_usecs': 16}}",
	 LISTEN UNCUT "monitor: {target_pps: 2000000}\n", ""},
	{"too late at that rate", "virtio", "{'listen': {'rx_usecs': 17}}",
	 LISTEN UNCUT "monitor: {target_pps: 2000000}\n", "warn moderation: vxlan-pipeline tune\n"},
	{"on the way out nothing is received", "virtio",
	 "{'forward': {'adaptive_rx': 1, 'rx_usecs': 1000}}", LISTEN UNCUT, ""},
	{"CPUs that sleep deeply", "virtio", "{'host': {'idle_state': 2}}", LISTEN UNCUT,
	 "warn idle_states: vxlan-pipeline tune\n"},
	{"who moves interrupts does no harm", "virtio", "{'host': {'irqbalance': true}}",
	 LISTEN UNCUT, ""},
	{"allowances used up, a ring that was full", "ena-in-tree",
	 "{'listen': {'bw_in_exceeded': 5, 'rx_overruns': 3}, 'forward': {'pps_exceeded': 9}}",
	 LISTEN UNCUT, EC2 "warn losses: -\nwarn losses: -\nwarn losses: -\n"},
};

/* An instance as EC2 starts it, with ten more faults. */
static const struct row wrong[] = {
	{"a new instance on EC2", "ena-fresh", NULL, LISTEN CUT RULES,
	 "warn xdp_mtu: ip link set dev ens5 mtu 3498\n"
	 "warn xdp_mtu: ip link set dev ens6 mtu 3498\n"
	 "warn channels: ethtool -L ens5 combined 4\n"
	 "warn channels: ethtool -L ens6 combined 4\n" LIMIT EC2
	 "warn forwarding: sysctl -w net/ipv4/conf/ens6/forwarding=1\n"
	 "warn forwarding: sysctl -w net/ipv4/conf/ens5/forwarding=1\n"
	 "warn forwarding: sysctl -w net/ipv6/conf/ens6/forwarding=1\n"
	 "warn forwarding: sysctl -w net.ipv6.conf.all.forwarding=1\n"
	 "warn rp_filter: sysctl -w net.ipv4.conf.all.rp_filter=0 "
	 "net/ipv4/conf/ens5/rp_filter=0\n"
	 "warn send_redirects: sysctl -w net.ipv4.conf.all.send_redirects=0 "
	 "net/ipv4/conf/ens5/send_redirects=0\n"
	 "warn rx_ring: ethtool -G ens5 rx 8192\n"
	 "warn moderation: vxlan-pipeline tune\n"
	 "warn idle_states: vxlan-pipeline tune\n"
	 "warn management: systemd-run --on-active=5min vxlan-pipeline stop --instance config\n"},
	{"wrong in ten ways", "ena-in-tree",
	 "{'host': {'bpffs': false, 'jit': false, 'xdp_frags': false, 'ec2': false},"
	 " 'listen': {'up': false, 'driver_version': '2.13.0g', 'mtu': 9001, 'channels': 8,"
	 "  'rx_ring': 256, 'bw_in_exceeded': 1, 'xdp_id': 3, 'xdp_owner': 'foreign',"
	 "  'xdp_mode': 'generic', 'xdp_name': 'other'},"
	 " 'forward': {'mtu': 1400}}",
	 NATIVE UNCUT,
	 "warn kernel: -\n"
	 "warn bpffs: mount -t bpf bpf /sys/fs/bpf\n"
	 "warn jit: sysctl -w net.core.bpf_jit_enable=1\n"
	 "warn interface: ip link set dev ens5 up\n"
	 "fail driver: dkms install amzn-drivers/2.17.0\n"
	 "fail xdp_program: ip link set dev ens5 xdpgeneric off\n"
	 "fail xdp_mtu: ip link set dev ens5 mtu 3502\n"
	 "fail channels: ethtool -L ens5 combined 4\n"
	 "fail forward_mtu: ip link set dev ens6 mtu 1500\n"
	 "warn rx_ring: ethtool -G ens5 rx 8192\n"
	 "warn losses: -\n"},
};

#endif
