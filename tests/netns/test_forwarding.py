# SPDX-License-Identifier: GPL-2.0-only
"""Packets through real interfaces: sender, the program on veth, collector."""

import os
import socket
import time

from lib import frames, program, reference
from lib.command import wait_for
from lib.daemon import HEARTBEAT_LIFETIME
from lib.frames import ETH_QINQ, ETH_VLAN
from lib.ground import Ground
from lib.port import is_ip
from lib.program import PATIENCE
from lib.table import valid_checksums


def packet(number, destination="10.1.0.2", source="10.1.0.1", **fields):
    return frames.udp(source, destination, 1000, 514, f"number {number}".encode(), **fields)


def tunnels(count, **outer):
    return [frames.tunnel(frames.inner(packet(n)), **outer) for n in range(count)]


class Forwarding(Ground):
    def expect(self, sent, got, config, macs=None):
        """Fails unless every frame arrived once, in order, and equal to the reference's."""
        model = reference.Reference(config)
        wanted = [model.judge(frame).out for frame in sent]
        self.assertEqual([frame[12:].hex() for frame in got],
                         [frame[12:].hex() for frame in wanted])
        for frame in got:
            self.assertTrue(valid_checksums(frame[14:]))
            if macs:
                self.assertEqual(frame[:12], macs)

    def through(self, sent, *changes, macs=None, port=None, verdict="redirected",
                mode="native"):
        config = self.config(*changes)
        daemon = self.start(*changes)
        self.in_port.send(*sent)
        got = (port or self.out_port).receive(is_ip, len(sent))
        self.expect(sent, got, config, macs)
        self.assertEqual(self.verdicts(), {verdict: len(sent)})
        self.assertEqual(self.json("status")["mode"], mode)
        self.assertEqual(self.stats()["mode"], mode)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def route_macs(self):
        return frames.mac(self.collector.mac("c0")) + frames.mac(self.appliance.mac("out0"))

    def test_route(self):
        self.know_neighbour()
        self.through(tunnels(200), macs=self.route_macs())

    def test_route_ipv6(self):
        self.know_neighbour()
        sent = [frames.tunnel(frames.inner(packet(n, "2001:db8::2", "2001:db8::1")))
                for n in range(100)]
        self.through(sent, macs=self.route_macs())

    def test_outer_ipv6(self):
        self.know_neighbour()
        self.through(tunnels(50, source="fd00::1"), macs=self.route_macs())

    def test_keep(self):
        macs = frames.mac(frames.INNER_DESTINATION_MAC) + frames.mac(frames.INNER_SOURCE_MAC)
        self.through(tunnels(50), {"forward": {"next_hop": "keep"}}, macs=macs)

    def test_mac(self):
        macs = frames.mac("02:00:00:00:77:77") + frames.mac(self.appliance.mac("out0"))
        self.through(tunnels(50), {"forward": {"next_hop": "02:00:00:00:77:77"}}, macs=macs)

    def test_generic_mode(self):
        self.know_neighbour()
        self.through(tunnels(100), {"listen": {"xdp_mode": "generic"}}, macs=self.route_macs(),
                     mode="generic")

    def test_native_mode(self):
        self.know_neighbour()
        self.through(tunnels(100), {"listen": {"xdp_mode": "native"}}, macs=self.route_macs())

    def test_auto_mode(self):
        self.know_neighbour()
        self.through(tunnels(100), {"listen": {"xdp_mode": "auto"}}, macs=self.route_macs())

    def test_vlan_tags(self):
        self.know_neighbour()
        self.through(tunnels(30, vlans=[(ETH_VLAN, 5)]) +
                     tunnels(30, vlans=[(ETH_QINQ, 5), (ETH_VLAN, 6)]), macs=self.route_macs())

    def test_vlan_tags_in_generic_mode(self):
        self.know_neighbour()
        self.through(tunnels(30, vlans=[(ETH_VLAN, 5)]),
                     {"listen": {"xdp_mode": "generic"}}, macs=self.route_macs(), mode="generic")

    def single_arm(self, mode):
        self.attach_program(self.sender, "s0")  # a veth flushes XDP_TX only to such a peer
        self.through(tunnels(60), {"forward": {"interface": None,
                                               "next_hop": "02:00:00:00:66:66"},
                                   "listen": {"xdp_mode": mode}},
                     macs=frames.mac("02:00:00:00:66:66") +
                     frames.mac(self.appliance.mac("in0")),
                     port=self.in_port, verdict="transmitted", mode=mode)

    def test_single_arm(self):
        self.single_arm("native")

    def test_single_arm_in_generic_mode(self):
        self.single_arm("generic")

    def test_single_arm_routed(self):
        self.attach_program(self.sender, "s0")
        self.appliance.ip("neigh", "replace", "10.9.0.1", "lladdr", self.sender.mac("s0"),
                          "dev", "in0", "nud", "permanent")
        self.through(tunnels(60), {"forward": {"interface": None},
                                   "nat": [{"match": {"source_port": 1000},
                                            "to": "10.9.0.1:8081"}]},
                     macs=frames.mac(self.sender.mac("s0")) +
                     frames.mac(self.appliance.mac("in0")),
                     port=self.in_port, verdict="transmitted")

    def test_a_real_socket_receives(self):
        """A UDP socket of the collector reads the mirrored datagrams."""
        server = self.collector.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(("10.20.0.2", 8081))
        server.settimeout(5 * PATIENCE)
        self.know_neighbour()
        # Without this the collector's kernel drops packets whose source it has no route to.
        self.collector.sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.c0.rp_filter=0")
        self.collector.ip("route", "add", "10.1.0.0/16", "via", "10.20.0.1")
        self.start()
        self.in_port.send(*tunnels(20))
        got = [server.recvfrom(2000) for _ in range(20)]
        self.assertEqual([data for data, _ in got], [f"number {n}".encode() for n in range(20)])
        self.assertEqual({address for _, address in got}, {("10.1.0.1", 1000)})

    def test_neighbour_forgotten_without_a_daemon(self):
        """The kernel has forgotten it, and nobody asks: it is sent to where it was last."""
        self.start().kill()
        time.sleep(HEARTBEAT_LIFETIME)
        self.appliance.ip("neigh", "flush", "dev", "out0")
        sent = tunnels(50)
        self.in_port.send(*sent)
        self.expect(sent, self.out_port.receive(is_ip, 50), self.config())
        self.assertEqual(self.verdicts(), {"redirected": 50})

    def test_neighbour_unknown_is_not_asked_for_by_packets(self):
        """The kernel gets none of them, as it would report to their senders that nobody answers."""
        self.start({"forward": {"oversize": "drop"},
                    "nat": [{"match": {"source_port": 1000}, "to": "10.20.0.99:8081"}]})
        self.in_port.send(frames.tunnel(frames.inner(
            frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, bytes(2000)))), *tunnels(1))
        wait_for(lambda: sum(self.verdicts().values()) == 2, 5, "two packets")
        self.assertEqual(self.verdicts(), {"no_route": 2})

    def test_neighbours_are_asked_for(self):
        """The daemon resolves the neighbour before the first packet comes."""
        self.start()
        wait_for(lambda: "lladdr" in self.appliance.ip("neigh", "show", "10.20.0.2").stdout, 5,
                 "the neighbour")
        sent = tunnels(50)
        self.in_port.send(*sent)
        self.expect(sent, self.out_port.receive(is_ip, 50), self.config())
        self.assertEqual(self.verdicts(), {"redirected": 50})

    def test_no_route(self):
        """Without a route packets are dropped and counted, and nobody gets an ICMP error."""
        self.start({"nat": [{"match": {"source_port": 1000}, "to": "198.51.100.1"}]})
        self.in_port.send(*tunnels(5))
        self.assertEqual(self.out_port.receive(is_ip), [])
        self.assertEqual(self.verdicts(), {"no_route": 5})
        self.assertEqual(self.stats()["counters"]["errors"], 5)
        self.assertEqual(self.in_port.receive(is_ip), [])

    def passed_to_a_local_socket(self, mode):
        server = self.appliance.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(("10.9.0.2", 514))
        server.settimeout(5 * PATIENCE)
        self.start({"forward": {"unmatched": "pass"}, "listen": {"xdp_mode": mode}})
        self.in_port.send(*[frames.tunnel(frames.inner(frames.udp(
            "10.9.0.1", "10.9.0.2", 2000, 514, b"local %d" % n))) for n in range(5)])
        self.assertEqual([server.recv(2000) for _ in range(5)],
                         [b"local %d" % n for n in range(5)])
        self.assertEqual(self.verdicts(), {"passed": 5})

    def test_unmatched_passed_to_a_local_socket(self):
        """An ordinary socket of this host reads decapsulated packets."""
        self.passed_to_a_local_socket("native")

    def test_unmatched_passed_to_a_local_socket_in_generic_mode(self):
        self.passed_to_a_local_socket("generic")

    def test_the_hosts_own_traffic_is_untouched(self):
        """Packets that are not tunnelled pass: a UDP service works beside the program."""
        server = self.appliance.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client = self.sender.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for end in (server, client):
            self.addCleanup(end.close)
            end.settimeout(5 * PATIENCE)
        server.bind(("10.9.0.2", 53))
        self.start()
        client.sendto(b"hello", ("10.9.0.2", 53))
        data, peer = server.recvfrom(100)
        server.sendto(data.upper(), peer)
        self.assertEqual(client.recv(100), b"HELLO")
        self.assertEqual(self.verdicts(), {})
        self.assertGreaterEqual(self.stats()["verdicts"]["not_tunnel"]["packets"], 2)

    def test_oversize(self):
        """A packet larger than out0's MTU leaves as two IPv4 fragments."""
        self.know_neighbour()
        self.start()
        body = bytes(range(256)) * 9
        self.in_port.send(frames.tunnel(frames.inner(
            frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, body, df=True, ident=0))))
        got = self.out_port.receive(is_ip, 2)
        self.assertEqual(len(got), 2)
        for frame in got:
            self.assertLessEqual(len(frame), 1514)
        whole = reference.reassemble([frame[14:] for frame in got])
        self.assertTrue(valid_checksums(whole))
        self.assertEqual(whole[28:], body)
        self.assertEqual(whole[16:20], socket.inet_aton("10.20.0.2"))
        self.assertNotEqual(whole[4:6], b"\0\0")
        verdicts = self.verdicts()
        self.assertEqual(sum(verdicts.values()), 1)
        self.assertLessEqual(set(verdicts), reference.CUT_TO_FIT)

    def test_small_ttl_provokes_nothing(self):
        """A captured TTL of 1 reaches the collector as 1, and no ICMP reaches production."""
        self.know_neighbour()
        self.start()
        sent = [frames.tunnel(frames.inner(packet(ttl, ttl=ttl, source="10.9.0.1")))
                for ttl in (0, 1, 2)]
        self.in_port.send(*sent)
        self.expect(sent, self.out_port.receive(is_ip, 3), self.config())
        self.assertEqual(self.in_port.receive(is_ip), [])

    def test_cut_short_and_passed(self):
        """Linux drops and counts truncated packets that are passed, as docs/verdicts.md says."""
        self.start({"inner": {"truncated": "pass"}})
        whole = packet(0, source="10.1.0.1")

        def cut_short():
            names, values = [line.split() for line in self.appliance.run(
                "cat", "/proc/self/net/netstat").stdout.splitlines() if line.startswith("IpExt:")]
            return int(values[names.index("InTruncatedPkts")])

        before = cut_short()
        self.in_port.send(frames.tunnel(frames.inner(whole[:-1])))
        wait_for(lambda: cut_short() == before + 1, 5, "the kernel's count")
        self.assertEqual(self.verdicts(), {"passed": 1})
        self.assertEqual(self.out_port.receive(is_ip), [])

    def test_counters(self):
        """Packets of every verdict raise the counters that belong to it."""
        self.know_neighbour()
        self.start({"listen": {"sources": ["10.0.0.0/8"], "vnis": [1, 9]}})
        good = frames.inner(packet(0))
        long = frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"x" * 1460, df=True, ident=0)
        sent = [
            ("not_tunnel", frames.tunnel(good, port=53)),
            ("outer_fragment", frames.tunnel(good, mf=True)),
            ("source_denied", frames.tunnel(good, source="8.8.8.8")),
            ("malformed", frames.tunnel(good, udp_length=4000)),
            ("malformed", frames.tunnel(frames.inner(packet(0, ihl=4)))),
            ("bad_vxlan", frames.tunnel(good, flags=0)),
            ("unknown_vni", frames.tunnel(good, vni=2)),
            ("inner_not_ip", frames.tunnel(frames.inner(bytes(28), 0x0806))),
            ("truncated", frames.tunnel(frames.inner(packet(0)[:-1]))),
            ("unmatched", frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 5, 5)))),
            ("redirected", frames.tunnel(good)),
            ("redirected", frames.tunnel(good, vni=9)),
            ("redirected", frames.tunnel(frames.inner(long))),
            ("oversize", frames.tunnel(frames.inner(frames.udp(
                "2001:db8::1", "2001:db8::2", 1000, 1, b"x" * 1500)))),
        ]
        before = self.stats()
        self.in_port.send(*[frame for _, frame in sent])
        self.assertEqual(len(self.out_port.receive(is_ip, 3)), 3)
        after = self.stats()
        self.check_schema(after)
        for name in program.VERDICTS:
            frames_of = [frame for verdict, frame in sent if verdict == name]
            for key, value in (("packets", len(frames_of)),
                               ("bytes", sum(map(len, frames_of)))):
                with self.subTest(f"{name} {key}"):
                    self.assertEqual(after["verdicts"][name][key] -
                                     before["verdicts"][name][key], value)
        change = {name: after["counters"][name] - before["counters"][name]
                  for name in after["counters"]}
        self.assertEqual(change, {
            "total_packets": 14,
            "vxlan_packets": 9,  # from unknown_vni on, and an inner header that is malformed
            "inner_packets": 5,  # unmatched, redirected, oversize
            "nat_applied": 4, "df_cleared": 1, "forwarded": 3, "redirected": 3,
            "errors": 4,         # malformed twice, bad_vxlan, truncated
            "bytes_processed": sum(len(frame) for _, frame in sent)})
        vnis = {entry["vni"]: entry["packets"] for entry in after["vnis"]}
        self.assertEqual(vnis, {1: 7, 9: 1})
        self.assertEqual([(rule["rule"], rule["to"], rule["packets"]) for rule in after["rules"]],
                         [(1, "10.20.0.2:8081", 3), (2, "[fd20::2]:8081", 1)])

    def test_counters_of_every_cpu(self):
        """Each CPU counts for itself, and nothing is lost or counted twice when they are added up."""
        self.know_neighbour()
        for vnis in ([7], [1, 2, 3, 4, 5], [1, 9, 500], "any"):
            with self.subTest(vnis=vnis):
                daemon = self.start({"listen": {"vnis": vnis}})
                numbers = [1, 77] if vnis == "any" else vnis
                wanted = self.send_from_every_cpu(numbers)
                stats = self.stats()
                self.assertEqual({row["vni"]: row["packets"] for row in stats["vnis"]
                                  if row["vni"] in wanted}, wanted)
                self.assertEqual(stats["rules"][0]["packets"], sum(wanted.values()))
                self.assertEqual(daemon.terminate(), 0)

    def send_from_every_cpu(self, vnis):
        """Another number of packets from each CPU for each VNI: how many for each, by VNI."""
        all_cpus = os.sched_getaffinity(0)
        wanted = dict.fromkeys(vnis, 0)
        try:
            for cpu in sorted(all_cpus):
                os.sched_setaffinity(0, {cpu})
                for place, vni in enumerate(vnis):
                    count = 3 * cpu + place + 1
                    good = frames.tunnel(frames.inner(packet(0)), vni=vni)
                    self.in_port.send(*[good] * count)
                    wanted[vni] += count
        finally:
            os.sched_setaffinity(0, all_cpus)
        self.out_port.receive(is_ip, sum(wanted.values()))
        return wanted

    def check_schema(self, stats):
        self.assertEqual(set(stats) & {
            "instance", "interface", "target", "mode", "uptime_seconds", "counters", "verdicts",
            "vnis", "rules"}, {"instance", "interface", "target", "mode", "uptime_seconds",
                               "counters", "verdicts", "vnis", "rules"})
        self.assertEqual(stats["instance"], self.instance)
        self.assertEqual((stats["interface"], stats["target"]), ("in0", "out0"))
        self.assertGreater(stats["uptime_seconds"], 0)
        self.assertEqual(set(stats["verdicts"]), program.VERDICTS)
        self.assertEqual(sum(v["packets"] for v in stats["verdicts"].values()),
                         stats["counters"]["total_packets"])
        self.assertEqual(sum(v["bytes"] for v in stats["verdicts"].values()),
                         stats["counters"]["bytes_processed"])
