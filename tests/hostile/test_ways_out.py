# SPDX-License-Identifier: GPL-2.0-only
"""
Interfaces that are not what they seem: what has no Ethernet header, asks for no neighbours, is a
port of another interface, or is made of others.
"""

import fcntl
import json
import os
import re
import select
import shlex
import signal
import socket
import struct
import threading
import time

from lib import frames, kernel, program
from lib.command import need_commands, run, wait_for
from lib.daemon import PINS, Daemon
from lib.ground import Ground
from lib.life import Traffic
from lib.namespace import Namespace, unique, veth
from lib.port import Port, is_ip

SOL_PACKET, PACKET_AUXDATA = 263, 8
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
LACKING = re.compile(r"Unknown device type|Operation not supported|not supported|"
                     r"Error: Unknown|No such device|unknown link type")
BOND_IS_NATIVE = "xdp_master_redirect"  # Linux 5.15
TARGET = "10.30.0.2"
RULE = {"nat": [{"match": {"source_port": 1000}, "to": f"{TARGET}:8081"}]}
PACKETS = 5


def tunnels(**outer):
    return [frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"%d" % n)),
                          **outer) for n in range(PACKETS)]


def is_delivered(frame):
    return is_ip(frame) and frame[30:34] == bytes([10, 30, 0, 2])


class Ways(Ground):
    def make(self, *commands, namespace=None):
        """Runs `ip` commands; skips where the kernel has no such interfaces."""
        for words in commands:
            result = (namespace or self.appliance).ip(*shlex.split(words), check=False)
            if result.returncode and LACKING.search(result.stderr):
                self.skipTest(f"this kernel lacks it: ip {words}: {result.stderr.strip()}")
            self.assertEqual(result.returncode, 0, f"ip {words}: {result.stderr}")

    def remove(self, *names):
        for name in names:
            self.appliance.ip("link", "delete", name, check=False)
            self.collector.ip("link", "delete", name, check=False)

    def check(self, *changes):
        """{(status, check): why} of everything that is not well."""
        result = self.appliance.run(program.PROGRAM, "check", "-c", self.write(*changes), "--json",
                                    "--instance", self.instance, check=False)
        return {(item["status"], item["check"]): item["why"]
                for item in json.loads(result.stdout)["findings"]
                if item["status"] != "ok"}

    def refused(self, *changes, status):
        """Why `run` does not start: its last line."""
        result = self.cli("run", "-c", self.write(*changes), "--instance", self.instance, "-d",
                          "5", check=False)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assert_nothing_left()
        return result.stderr.strip().splitlines()[-1]

    def delivers(self, port, *changes, source=None, **outer):
        """Starts, sends, and returns what the daemon said; all packets arrive."""
        daemon = Daemon(self, self.appliance, "-c", self.write(*changes),
                        instance=self.instance).ready()
        wait_for(lambda: self.json("status")["healthy"], 5, f"health\n{daemon.stderr}")
        (source or self.in_port).send(*tunnels(**outer))
        got = port.receive(is_delivered, PACKETS)
        self.assertEqual(len(got), PACKETS, f"{self.verdicts()}\n{daemon.stderr}")
        said = daemon.stderr
        self.assertEqual(daemon.terminate(), 0)
        return said


class NotEthernet(Ways):
    # what it is made by, and how it is called
    ROWS = (
        ("the loopback interface", "lo", (), "link/loopback"),
        ("tun", "t0", ("tuntap add t0 mode tun",), "tun (link/none)"),
        ("IP in IP", "t0", ("link add t0 type ipip local 10.20.0.1 remote 10.20.0.2",),
         "ipip (link/ipip)"),
        ("GRE", "t0", ("link add t0 type gre local 10.20.0.1 remote 10.20.0.2",),
         "gre (link/gre)"),
        ("IPv6 in IPv4", "t0", ("link add t0 type sit local 10.20.0.1 remote 10.20.0.2",),
         "sit (link/sit)"),
        ("IP in IPv6", "t0", ("link add t0 type ip6tnl local fd20::1 remote fd20::2",),
         "ip6tnl (link/tunnel6)"),
        ("GRE over IPv6", "t0", ("link add t0 type ip6gre local fd20::1 remote fd20::2",),
         "ip6gre (link/gre6)"),
        ("IPsec, the older way", "t0",
         ("link add t0 type vti local 10.20.0.1 remote 10.20.0.2 key 5",), "vti (link/ipip)"),
        ("IPsec", "t0", ("link add t0 type xfrm dev out0 if_id 5",), "xfrm (link/none)"),
        ("WireGuard", "t0", ("link add t0 type wireguard",), "wireguard (link/none)"),
        ("a tap on netlink", "t0", ("link add t0 type nlmon",), "nlmon (link/netlink)"),
        ("CAN", "t0", ("link add t0 type vcan",), "vcan (link/can)"),
    )

    def test_refused(self):
        """`run` and `check` say why, and nothing is attached; nor does a reload bring it in."""
        for sentence, name, commands, kind in self.ROWS:
            with self.subTest(sentence):
                self.make(*commands, *([f"link set {name} up"] if commands else []))
                for change in ({"forward": {"interface": name}}, {"listen": {"interface": name}}):
                    key, = change
                    for mode in ("auto", "native", "generic"):
                        said = self.refused(change, {"listen": {"xdp_mode": mode}}, status=2)
                        self.assertIn(f"{key}.interface: {name} is of type {kind}", said)
                    found = self.check(change)
                    self.assertIn(("fail", "ethernet"), found)
                    self.assertIn(f"{name} is of type {kind}", found["fail", "ethernet"])
                self.remove("t0")

    def test_reload(self):
        """What runs goes on."""
        self.know_neighbour()
        daemon = self.start()
        self.make("tuntap add t0 mode tun", "link set t0 up")
        self.write({"forward": {"interface": "t0"}})
        said = self.cli("reload", "--instance", self.instance, check=False)
        self.assertEqual(said.returncode, 1)
        self.assertIn("forward.interface: t0 is of type tun (link/none)", said.stderr)
        self.in_port.send(*tunnels())
        self.assertEqual(len(self.out_port.receive(is_ip, PACKETS)), PACKETS)
        self.assertEqual(daemon.terminate(), 0)

    def test_made_anew_as_another(self):
        """The configuration is not applied to it."""
        self.make("link add t0 type bridge", "link set t0 up")
        daemon = self.start({"forward": {"interface": "t0"}, "listen": {"xdp_mode": "generic"}})
        self.remove("t0")
        self.make("tuntap add t0 mode tun", "link set t0 up")
        wait_for(lambda: "t0 is of type tun" in daemon.stderr, 5, "the refusal")
        self.assertFalse(self.json("status")["healthy"])


class Made(Ways):
    """Ethernet interfaces that are made of others carry the packets, or it is said why not."""

    # whether it takes a native program, or the kernel's function that does; how it is made, here
    # and at the far end
    FORWARD = (
        ("a bridge", False, ("link add t0 type bridge", "link set out0 master t0"), ()),
        ("a VLAN", False, ("link add link out0 name t0 type vlan id 5",),
         ("link add link c0 name t0 type vlan id 5",)),
        ("MACVLAN", False, ("link add link out0 name t0 type macvlan mode bridge",), ()),
        ("IPVLAN", False, ("link add link out0 name t0 type ipvlan mode l2",), ()),
        ("a VXLAN", False, ("link add t0 type vxlan id 5 dstport 5555 remote 10.20.0.2",),
         ("link add t0 type vxlan id 5 dstport 5555 remote 10.20.0.1",)),
        ("GRE with Ethernet", False,
         ("link add t0 type gretap local 10.20.0.1 remote 10.20.0.2",),
         ("link add t0 type gretap local 10.20.0.2 remote 10.20.0.1",)),
        ("a bond", BOND_IS_NATIVE, ("link add t0 type bond mode active-backup", "link set out0 down",
                          "link set out0 master t0", "link set out0 up"), ()),
    )

    def test_forward(self):
        for sentence, native, commands, far in self.FORWARD:
            with self.subTest(sentence):
                try:
                    self.make(*commands, "addr add 10.30.0.1/24 dev t0", "link set t0 up")
                    self.make(*far, namespace=self.collector)
                    end = "t0" if far else "c0"
                    self.make(f"addr add {TARGET}/24 dev {end}", f"link set {end} up",
                              namespace=self.collector)
                    self.both_modes({"forward": {"interface": "t0"}}, RULE, native=native,
                                    port=Port(self, self.collector, end), check="egress")
                finally:
                    self.collector.ip("addr", "del", f"{TARGET}/24", "dev", "c0", check=False)
                    self.remove("t0")

    LISTEN = (
        ("a bridge", False, ("link add t0 type bridge", "link set in0 master t0"), {}),
        ("a port of a bridge", True, ("link add br0 type bridge", "link set in0 master br0",
                                      "link set br0 up"), {}),
        ("a VLAN", False, ("link add link in0 name t0 type vlan id 5",),
         {"vlans": [(0x8100, 5)]}),
        ("below a VLAN", True, ("link add link in0 name t1 type vlan id 5",),
         {"vlans": [(0x8100, 5)]}),
        ("MACVLAN", False, ("link set in0 address 02:00:5e:00:00:77",
                            "link add link in0 name t0 type macvlan mode bridge"), {}),
        ("below MACVLAN", True, ("link add link in0 name t1 type macvlan mode bridge",), {}),
        ("a bond", BOND_IS_NATIVE, ("link add t0 type bond mode active-backup", "link set in0 down",
                          "link set in0 master t0", "link set in0 up"), {}),
    )

    def test_listen(self):
        self.collector.ip("addr", "add", f"{TARGET}/24", "dev", "c0")
        self.appliance.ip("addr", "add", "10.30.0.1/24", "dev", "out0")
        for sentence, native, commands, outer in self.LISTEN:
            with self.subTest(sentence):
                try:
                    self.make(*commands)
                    made = any(" t0 " in f"{words} " for words in commands)
                    name = "t0" if made else "in0"
                    self.make(f"link set {name} address {frames.OUTER_DESTINATION_MAC}",
                              f"link set {name} up")
                    self.both_modes({"listen": {"interface": name}}, RULE, native=native,
                                    port=self.out_port, check="xdp_mode", **outer)
                finally:
                    self.remove("t0", "t1", "br0")
                    self.appliance.ip("link", "set", "in0", "nomaster", "up", check=False)
                    self.appliance.ip("link", "set", "in0", "address",
                                      frames.OUTER_DESTINATION_MAC)

    def both_modes(self, *changes, native, port, check, **outer):
        generic, only = ({"listen": {"xdp_mode": mode}} for mode in ("generic", "native"))
        self.assertNotIn("ethernet", {name for _, name in self.check(*changes)})
        self.delivers(port, *changes, generic, **outer)
        if isinstance(native, str) and not kernel.knows(native):
            self.skipTest("native mode: this kernel lacks it")
        if native:
            self.delivers(port, *changes, only, **outer)
            return
        self.assertIn("takes no XDP program in native mode",
                      self.refused(*changes, only, status=1))
        self.assertIn(("fail", check), self.check(*changes, only))
        self.assertIn("using generic mode", self.delivers(port, *changes, **outer))

    def test_tap(self):
        """A virtual machine's or a VPN's end: what leaves is read from the file."""
        for mode in ("native", "generic"):
            with self.subTest(mode), self.appliance.entered():
                tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"t0", IFF_TAP | IFF_NO_PI))
            with self.subTest(mode):
                try:
                    self.make("addr add 10.30.0.1/24 dev t0", "link set t0 up",
                              f"neigh add {TARGET} lladdr 02:00:5e:00:00:99 dev t0 nud permanent")
                    self.delivers(File(tap), {"forward": {"interface": "t0"},
                                              "listen": {"xdp_mode": mode}}, RULE)
                finally:
                    os.close(tap)


class File:
    """Receives as a Port does, from a tap's file."""

    def __init__(self, file):
        self.file = file

    def receive(self, wanted, count):
        found = []
        while len(found) < count and select.select([self.file], [], [], 5)[0]:
            frame = os.read(self.file, 65536)
            found += [frame] if wanted(frame) else []
        return found


class Ports(Ways):
    """A port of another interface has no routes, and perhaps a share of the packets only."""

    def test_forward(self):
        for kind, detour in (("bridge", ()), ("bond mode active-backup", ("link set out0 down",))):
            with self.subTest(kind):
                try:
                    self.make(f"link add t0 type {kind}", *detour, "link set out0 master t0",
                              "link set out0 up", "link set t0 up")
                    said = "out0 is a port of t0"
                    self.assertIn(said, self.check()["warn", "ethernet"])
                    self.assertIn(said, self.start().stderr)
                    self.cli("stop", "--instance", self.instance)
                    # told where it goes, it goes there
                    self.delivers(self.out_port, RULE, {
                        "forward": {"next_hop": self.collector.mac("c0")}})
                finally:
                    self.remove("t0")

    def test_listen(self):
        self.know_neighbour()
        self.make("link add t0 type bond mode active-backup", "link set in0 down",
                  "link set in0 master t0", "link set in0 up", "link set t0 up")
        said = "in0 is a port of t0 (bond): what comes in by its other ports is not seen"
        self.assertIn(said, self.check()["warn", "ethernet"])
        self.assertIn(said, self.start().stderr)

    def test_a_member_of_a_vrf(self):
        """Has routes."""
        self.make("link add t0 type vrf table 5", "link set t0 up", "link set out0 master t0")
        self.assertNotIn(("warn", "ethernet"), self.check())


class NoArp(Ways):
    ROWS = (
        ("switched off", "out0", ("link set out0 arp off",)),
        ("a mirror of what comes in", "t0", ("link add t0 type ifb",)),
        ("a dummy", "t0", ("link add t0 type dummy",)),
        ("a VRF", "t0", ("link add t0 type vrf table 5",)),
    )

    def test_told(self):
        for sentence, name, commands in self.ROWS:
            with self.subTest(sentence):
                self.make(*commands, f"link set {name} up", f"addr add 10.30.0.1/24 dev {name}")
                change = {"forward": {"interface": name}, "listen": {"xdp_mode": "generic"}}
                said = f"{name} has no ARP (NOARP)"
                self.assertIn(said, self.check(change)["warn", "ethernet"])
                daemon = Daemon(self, self.appliance, "-c", self.write(change),
                                instance=self.instance).ready()
                self.assertIn(said, daemon.stderr)
                self.assertEqual(daemon.terminate(), 0)
                known = {"forward": {"next_hop": "02:00:5e:00:00:99"}}
                self.assertNotIn(("warn", "ethernet"), self.check(change, known))
                self.remove("t0")

    def test_mended(self):
        """By the command that `check` gives, after which the packets arrive."""
        self.make("link set out0 arp off")
        self.assertIn(("warn", "ethernet"), self.check())
        self.make("link set dev out0 arp on", "addr add 10.30.0.1/24 dev out0")
        self.make(f"addr add {TARGET}/24 dev c0", namespace=self.collector)
        self.assertNotIn(("warn", "ethernet"), self.check())
        self.delivers(self.out_port, RULE)


class Tags(Ways):
    """A VLAN tag of the tunnel that the interface took out of the frame."""

    PROGRAM = """
        static long (*push)(void *skb, unsigned short protocol, unsigned short tag) = (void *)18;
        __attribute__((section("tc"), used)) int tag(void *skb) { push(skb, 0x0081, 5); return 0; }
        char _license[] __attribute__((section("license"), used)) = "GPL";
    """

    def tag(self):
        """A port of the sender whose frames arrive with their tag beside them, VLAN 5."""
        self.sender.run("ethtool", "-K", "s0", "txvlan", "on")
        if self.sender.ip("link", "add", "link", "s0", "name", "s1", "type", "vlan", "id", "5",
                          check=False).returncode == 0:
            self.sender.ip("link", "set", "s1", "up")
            return Port(self, self.sender, "s1")
        need_commands("clang", "tc")
        source, built = self.work.file("tag.c", self.PROGRAM), os.path.join(self.work.path, "tag.o")
        run("clang", "-O2", "-g", "-target", "bpf", "-c", source, "-o", built)
        self.sender.run("tc", "qdisc", "add", "dev", "s0", "clsact")
        self.sender.run("tc", "filter", "add", "dev", "s0", "egress", "bpf", "da", "obj", built,
                        "sec", "tc")
        return self.in_port

    def tags(self, count):
        """The VLANs of the packets that arrive at the collector; 0: of those without a tag."""
        self.out_port.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        found = []
        while len(found) < count and select.select([self.out_port.socket], [], [], 3)[0]:
            frame, extra, _, address = self.out_port.socket.recvmsg(65536, 256)
            if is_ip(frame) and address[2] != socket.PACKET_OUTGOING:
                found += [struct.unpack_from("=H", data, 16)[0] & 0xFFF for _, kind, data in extra
                          if kind == PACKET_AUXDATA]
        return found

    def sends(self, source):
        source.send(*tunnels(), *[
            frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.20.0.2", 2000, 514, b"%d" % n)))
            for n in range(PACKETS)])
        return self.tags(2 * PACKETS)

    PASSES = {"forward": {"unmatched": "pass"}}

    def test_told_and_mended(self):
        """What the messages say to do has both kinds of packets arrive, without the tag."""
        self.know_neighbour()
        generic = {"listen": {"xdp_mode": "generic"}}
        source = self.tag()
        said = "in0 takes VLAN tags out of the frames"
        finding = self.check(generic)["warn", "vlan_tags"]
        self.assertIn(said, finding)
        self.assertIn("on the peer: ethtool -K PEER txvlan off", finding)
        daemon = self.start(generic, self.PASSES)
        self.assertIn(said, daemon.stderr)
        self.assertIn("ethtool -K in0 rxvlan off", daemon.stderr)
        self.appliance.run("ethtool", "-K", "in0", "rxvlan", "off", "rx-vlan-stag-hw-parse", "off")
        self.sender.run("ethtool", "-K", "s0", "txvlan", "off")
        self.assertEqual(self.sends(source), [0] * 2 * PACKETS)
        self.assertEqual(self.verdicts(), {"redirected": PACKETS, "passed": PACKETS})
        self.assertNotIn(("warn", "vlan_tags"), self.check(generic))

    def test_native(self):
        """Takes the tag off with the rest of the tunnel, and says nothing of it."""
        self.know_neighbour()
        source = self.tag()
        self.assertNotIn(("warn", "vlan_tags"), self.check())
        daemon = self.start()
        self.assertNotIn("VLAN", daemon.stderr)
        source.send(*tunnels())
        self.assertEqual(self.tags(PACKETS), [0] * PACKETS)


class Policies(Ways):
    """IPsec policies of the kernel, which XDP does not ask."""

    ESP = "tmpl src 10.20.0.1 dst 10.20.0.2 proto esp mode tunnel"
    # what is set up; what `check` then finds, and of which policy it speaks; its command mends it
    ROWS = (
        ("about the target", (f"dst 10.20.0.2 dir out priority 7 {ESP}",), "fail",
         "dir out src 0.0.0.0/0 dst 10.20.0.2 priority 7) demands esp for packets to 10.20.0.2 "
         "(rule 1)"),
        ("about its network", (f"dst 10.20.0.0/24 dir out priority 7 {ESP}",), "fail",
         "dst 10.20.0.0/24 priority 7"),
        ("about some sources", (f"src 10.1.0.0/16 dst 10.20.0.2 dir out priority 7 {ESP}",), "fail",
         "src 10.1.0.0/16 dst 10.20.0.2"),
        ("about IPv6", ("dst fd20::2 dir out priority 7 tmpl src fd20::1 dst fd20::2 proto ah",),
         "fail", "demands ah for packets to fd20::2 (rule 2)"),
        ("about the port", (f"dst 10.20.0.2 proto udp dport 8081 dir out priority 7 {ESP}",),
         "fail", "proto 17 dport 8081 priority 7"),
        ("about where it leaves", (f"dst 10.20.0.2 dev out0 dir out priority 7 {ESP}",), "fail",
         "dst 10.20.0.2 priority 7"),
        ("that forbids it", ("dst 10.20.0.2 dir out priority 7 action block",), "fail",
         "forbids packets to 10.20.0.2 (rule 1)"),
        ("that forbids to forward it", ("dst 10.20.0.2 dir fwd priority 7 action block",), "fail",
         "forbids packets to 10.20.0.2 (rule 1)"),
        ("about how it came", (f"dst 10.20.0.2 dir fwd priority 7 {ESP}",), "warn",
         "only if they came by esp"),
        ("that came before one of its priority that allows it",
         (f"dst 10.20.0.2 dir out priority 7 {ESP}", "dst 10.20.0.0/24 dir out priority 7"), "fail",
         "demands esp"),
        ("that comes before all", (f"dst 10.20.0.2 dir out {ESP}",), "fail", "priority 0)"),
        ("about another host", (f"dst 10.20.0.3 dir out priority 7 {ESP}",), None, None),
        ("about another port", (f"dst 10.20.0.2 proto udp dport 8082 dir out priority 7 {ESP}",),
         None, None),
        ("about another protocol", (f"dst 10.20.0.2 proto icmp dir out priority 7 {ESP}",), None,
         None),
        ("about another interface", (f"dst 10.20.0.2 dev in0 dir out priority 7 {ESP}",), None,
         None),
        ("about what comes in", (f"dst 10.20.0.2 dir in priority 7 {ESP}",), None, None),
        ("about marked packets", (f"dst 10.20.0.2 dir out mark 5 priority 7 {ESP}",), None, None),
        ("of a virtual interface", (f"dst 10.20.0.2 dir out if_id 5 priority 7 {ESP}",), None,
         None),
        ("behind one that allows it",
         ("dst 10.20.0.2 dir out priority 6", f"dst 10.20.0.0/24 dir out priority 7 {ESP}"), None,
         None),
        ("behind one of its priority that allows it",
         ("dst 10.20.0.2 dir out priority 7", f"dst 10.20.0.0/24 dir out priority 7 {ESP}"), None,
         None),
    )

    def setUp(self):
        super().setUp()
        self.know_neighbour()
        self.addCleanup(self.appliance.ip, "xfrm", "policy", "flush", check=False)
        if self.appliance.ip("xfrm", "policy", "list", check=False).returncode:
            self.skipTest("this kernel has no IPsec policies")

    def found(self):
        """(status, why, fix) of the finding."""
        result = self.appliance.run(program.PROGRAM, "check", "-c", self.write(), "--json",
                                    "--instance", self.instance, check=False)
        return next((item["status"], item["why"], item["fix"])
                    for item in json.loads(result.stdout)["findings"] if item["check"] == "ipsec")

    def test_found_and_mended(self):
        self.assertEqual(self.found()[0], "ok")
        for sentence, policies, status, said in self.ROWS:
            with self.subTest(sentence):
                self.appliance.ip("xfrm", "policy", "flush")
                for words in policies:
                    self.appliance.ip("xfrm", "policy", "add", *words.split())
                got, why, fix = self.found()
                self.assertEqual(got, status or "ok", why)
                if status:
                    self.assertIn(said, why)
                    self.assertIn("; name another target, or ", why)
                    self.appliance.run("sh", "-c", fix)
                    # where none can come before it, the command only shows it
                    self.assertEqual(self.found()[0], status if "or remove it" in why else "ok")

    def test_default(self):
        """No policy is about them, and what none is about is blocked."""
        if self.appliance.ip("xfrm", "policy", "setdefault", "out", "block",
                             check=False).returncode:
            self.skipTest("this kernel blocks nothing by default")
        self.assertIn("an IPsec policy (default out block) forbids", self.found()[1])

    def test_interface_without_ipsec(self):
        self.appliance.ip("xfrm", "policy", "add", *self.ROWS[0][1][0].split())
        self.assertEqual(self.found()[0], "fail")
        self.appliance.sysctl("net.ipv4.conf.out0.disable_xfrm=1")
        self.assertEqual(self.found()[0], "ok")

    def test_without_privileges(self):
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                  "--inh-caps=-all", "--bounding-set=-all")
        os.chmod(self.work.path, 0o755)
        said = self.appliance.run(*nobody, program.PROGRAM, "check", "-c", self.write(),
                                  "--instance", self.instance, check=False).stdout
        self.assertRegex(said, "ok +ipsec +not known")

    def test_told_at_the_start_and_on_reload(self):
        """A running instance goes on; what leaves is what was told: plaintext."""
        daemon = self.start()
        self.assertNotIn("IPsec", daemon.stderr)
        self.appliance.ip("xfrm", "policy", "add", *self.ROWS[0][1][0].split())
        self.cli("reload", "--instance", self.instance)
        said = "demands esp for packets to 10.20.0.2 (rule 1), but XDP asks no policies"
        self.assertIn(said, daemon.stderr)
        self.in_port.send(*tunnels())
        self.assertEqual(len(self.out_port.receive(is_ip, PACKETS)), PACKETS)
        self.assertEqual(daemon.terminate(), 0)
        self.assertIn(said, self.start().stderr)


class Here(Ways):
    """Targets that are addresses of this host."""

    ROWS = (
        ("of the way out", "10.20.0.1"), ("of the way in", "10.9.0.2"), ("of IPv6", "fd20::1"),
        ("of a network that is this host's whole", "10.40.1.2"),
    )

    def test_told(self):
        self.appliance.ip("route", "add", "local", "10.40.0.0/16", "dev", "lo")
        for sentence, target in self.ROWS:
            with self.subTest(sentence):
                rules = {"nat": [{"match": {"source_port": 999}, "to": "10.20.0.2"},
                                 {"match": {"source_port": 1000}, "to": target}]}
                said = f"{target} (rule 2) is an address of this host"
                self.assertIn(said, self.check(rules)["warn", "targets"])
                self.assertIn(said, self.check(rules, {
                    "forward": {"next_hop": "02:00:5e:00:00:99"}})["warn", "targets"])
                daemon = self.start(rules)
                self.assertIn(f"{target}, which rules send to, is an address of this host: "
                              "packets for it are passed to its own stack", daemon.stderr)
                self.assertEqual(daemon.terminate(), 0)

    def test_others(self):
        self.assertNotIn(("warn", "targets"), self.check())
        self.assertNotIn("address of this host", self.start().stderr)

    def test_none_of_these(self):
        """Which are addresses of no host, or of none that could be told from here."""
        for target in ("127.0.0.1", "::1", "0.0.0.0", "240.0.0.1", "255.255.255.255", "224.0.0.1",
                       "ff02::1", "fe80::1"):
            with self.subTest(target):
                said = self.refused({"nat": [{"match": {"source_port": 1}, "to": target}]},
                                    status=2)
                self.assertIn(f"nat[1].to: '{target}' is a", said.replace("is the", "is a"))


class Crosswise(Ways):
    """Two instances, each of which listens where the other one sends."""

    OTHER = {"listen": {"interface": "out0"}, "forward": {"interface": "in0"},
             "nat": [{"match": {"source_port": 1000}, "to": "10.9.0.1:8081"}]}

    def setUp(self):
        super().setUp()
        self.know_neighbour()
        self.appliance.ip("neigh", "replace", "10.9.0.1", "lladdr", self.sender.mac("s0"), "dev",
                          "in0", "nud", "permanent")
        self.appliance.ip("link", "set", "out0", "mtu", str(self.MTU_IN))
        self.collector.ip("link", "set", "c0", "mtu", str(self.MTU_IN))
        self.names = {letter: unique(letter) for letter in "ab"}
        self.changes = {"a": {}, "b": self.OTHER}
        self.running, self.unattended, self.daemons = set(), set(), {}
        for name in self.names.values():
            self.addCleanup(self.remove_instance, name)

    def do(self, step):
        """One of: start, stop, cli (stop by command), kill, reload, linger; and of whom."""
        verb, letter = step.split()
        daemon, name = self.daemons.get(letter), self.names[letter]
        if verb == "start":
            self.daemons[letter] = Daemon(
                self, self.appliance, "-c", self.write(self.changes[letter],
                                                       name=f"{letter}.yaml"),
                instance=name).ready()
            self.running.add(letter)
        elif verb == "stop":
            self.assertEqual(daemon.terminate(), 0, daemon.stderr)
            self.running.discard(letter)
        elif verb == "cli":
            self.cli("stop", "--instance", name)
            self.running.discard(letter)
        elif verb == "kill":
            daemon.kill()
        elif verb == "linger":
            daemon.signal(signal.SIGUSR1)
            self.assertEqual(daemon.wait(), 0)
        elif verb == "reload":
            self.cli("reload", "--instance", name)

    def works(self, letter, quickly=False):
        """Whether all packets of one of them arrive; `quickly`: it is expected that none does."""
        if letter == "a":
            source, target, mac = self.in_port, self.out_port, frames.OUTER_DESTINATION_MAC
        else:
            source, target, mac = self.out_port, self.in_port, self.appliance.mac("out0")
        source.send(*tunnels(destination_mac=mac))
        got = target.receive(lambda frame: is_ip(frame) and frame[34:36] == b"\x03\xe8", PACKETS,
                             seconds=0.2 if quickly else 5, quiet=0.1)
        return len(got) == PACKETS

    def checks(self):
        """Both forward, if they run; each interface has a program as long as one needs it."""
        for letter in "ab":
            runs = letter in self.running
            self.assertEqual(self.works(letter, not runs), runs, letter)
            state = json.loads(self.cli("status", "--json", "--instance", self.names[letter],
                                        check=False).stdout or "{}").get("state")
            self.assertEqual(state in ("running", "unattended"), runs)
        for interface in ("in0", "out0"):
            mode = self.appliance.xdp(interface)
            self.assertEqual(bool(mode), bool(self.running), interface)
            if mode:
                self.assertEqual(mode["mode"], 1, "native")

    ROWS = (
        ("start a", "start b", "stop b", "stop a"),
        ("start a", "start b", "stop a", "stop b"),
        ("start b", "start a", "stop b", "stop a"),
        ("start b", "start a", "stop a", "stop b"),
        ("start a", "start b", "stop b", "start b", "stop a", "start a", "stop b", "stop a"),
        ("start a", "start b", "reload a", "reload b", "reload a", "stop a", "reload b", "stop b"),
        ("start a", "start b", "kill a", "start a", "kill b", "start b", "stop a", "stop b"),
        ("start a", "start b", "kill b", "cli b", "kill a", "cli a"),
        ("start a", "start b", "kill a", "kill b", "cli a", "cli b"),
        ("start a", "kill a", "start b", "stop b", "start a", "stop a"),
        ("start a", "start b", "linger b", "reload a", "start b", "linger a", "stop b", "cli a"),
    )

    def test_any_order(self):
        for steps in self.ROWS:
            with self.subTest(", ".join(steps)):
                for step in steps:
                    self.do(step)
                    with self.subTest(step):
                        self.checks()
                self.assertEqual(self.appliance.xdp_interfaces(), [])
                for name in self.names.values():
                    self.assertFalse(os.path.exists(os.path.join(PINS, name)), "pins are left")

    def test_no_packet_is_lost(self):
        """Of the one, while the other comes, reloads and goes."""
        self.do("start a")
        with Traffic(self) as traffic:
            for step in ("start b", "reload b", "stop b", "start b", "kill b", "cli b"):
                self.do(step)
                time.sleep(0.3)
        self.assertEqual(traffic.arrived(), traffic.sent)

    def test_at_the_same_time(self):
        """One comes while the other goes: who is there in the end has its program."""
        for turn in range(6):
            self.do("start a")
            going = threading.Timer(0.05 * turn, self.daemons["a"].signal, [signal.SIGTERM])
            going.start()
            self.do("start b")
            going.join()
            self.assertEqual(self.daemons["a"].wait(), 0)
            self.running.discard("a")
            self.checks()
            self.do("stop b")
            self.assertEqual(self.appliance.xdp_interfaces(), [])

    def test_single_arm(self):
        """Another sends by the interface of one that sends where it listens."""
        self.changes["b"] = {**self.OTHER, "forward": {"interface": "out0"}}
        for step in ("start a", "start b", "stop b", "start b", "stop a"):
            self.do(step)
            self.assertEqual(self.works("a", step == "stop a"), "a" in self.running, step)
            self.assertTrue(self.appliance.xdp("out0"), step)
        self.do("stop b")
        self.assertEqual(self.appliance.xdp_interfaces(), [])

    def test_both_send_by_one(self):
        """Whoever goes first leaves the program to the other."""
        veth(self.sender, "s1", self.appliance, "in1", self.MTU_IN)
        self.changes["b"] = {"listen": {"interface": "in1"}}
        for first, second in ("ab", "ba"):
            for step in ("start a", "start b", f"stop {first}"):
                self.do(step)
            self.assertTrue(self.appliance.xdp("out0"))
            self.assertTrue(self.json_of(second)["healthy"])
            self.do(f"stop {second}")
            self.assertEqual(self.appliance.xdp_interfaces(), [])

    def json_of(self, letter):
        return json.loads(self.cli("status", "--json", "--instance", self.names[letter],
                                   check=False).stdout)

    def test_swapped(self):
        """One instance whose interfaces change places by a reload, there and back."""
        self.do("start a")
        for change, letter in ((self.OTHER, "b"), ({}, "a"), (self.OTHER, "b")):
            self.write(change, name="a.yaml")
            self.do("reload a")
            self.assertTrue(self.works(letter))
            self.assertFalse(self.works("b" if letter == "a" else "a", True))
            self.assertEqual(self.appliance.xdp_interfaces(), ["in0", "out0"])
        self.do("stop a")
        self.assertEqual(self.appliance.xdp_interfaces(), [])

    def test_moves_away(self):
        """The one that listened there listens elsewhere now; the other still sends."""
        veth(self.sender, "s1", self.appliance, "in1", self.MTU_IN)
        self.do("start a")
        self.do("start b")
        self.write(self.OTHER, {"listen": {"interface": "in1"}}, name="b.yaml")
        self.do("reload b")
        self.assertFalse(self.works("b", True), "it listens there no more")
        self.assertTrue(self.works("a"))
        self.assertTrue(self.appliance.xdp("out0"))
        self.do("stop b")
        self.do("stop a")
        self.assertEqual(self.appliance.xdp_interfaces(), [])

    def test_refused(self):
        """A reload that fails leaves both as they were."""
        self.do("start a")
        self.do("start b")
        foreign = Namespace(self, "f")
        veth(foreign, "f0", self.appliance, "in1")
        self.attach_program(self.appliance, "in1")
        self.write(self.OTHER, {"listen": {"interface": "in1"}}, name="b.yaml")
        self.assertEqual(self.cli("reload", "--instance", self.names["b"], check=False).returncode,
                         1)
        self.checks_but("in1")

    def checks_but(self, interface):
        self.appliance.ip("link", "delete", interface)
        self.checks()

    def test_generic(self):
        """An interface takes no generic program beside a native one, and the one that is there stays."""
        self.do("start a")
        self.changes["b"] = {**self.OTHER, "listen": {"interface": "out0", "xdp_mode": "generic"}}
        path = self.write(self.changes["b"], name="b.yaml")
        said = self.cli("run", "-c", path, "--instance", self.names["b"], check=False)
        self.assertEqual(said.returncode, 1)
        self.assertIn(f"while instance {self.names['a']} sends by it in native mode", said.stderr)
        self.checks()
        found = self.findings(path)
        self.assertEqual(found["xdp_program"][0], "fail")
        self.assertIn(self.names["a"], found["xdp_program"][1])
        self.do("stop a")
        self.do("start b")
        self.do("start a")
        self.assertTrue(self.works("a") and self.works("b"), "the other way round")

    def test_mode_of_a_shared_one(self):
        """Does not change while another sends by it."""
        self.do("start a")
        self.do("start b")
        self.write(self.OTHER, {"listen": {"xdp_mode": "generic"}}, name="b.yaml")
        said = self.cli("reload", "--instance", self.names["b"], check=False)
        self.assertEqual(said.returncode, 1)
        self.assertIn(f"while instance {self.names['a']} sends by it", said.stderr)
        self.checks()

    def findings(self, path):
        """{check: (status, why)} for the second instance."""
        said = self.cli("check", "-c", path, "--json", "--instance", self.names["b"],
                        check=False).stdout
        return {item["check"]: (item["status"], item["why"])
                for item in json.loads(said)["findings"]}

    def test_check(self):
        """Does not take the program that gives way for one that is in the way."""
        self.do("start a")
        path = self.write(self.OTHER, name="b.yaml")
        status, why = self.findings(path)["xdp_program"]
        self.assertEqual(status, "ok")
        self.assertIn(f"instance {self.names['a']} sends by out0", why)
        self.do("start b")
        self.assertEqual(self.findings(path)["xdp_program"][0], "ok")
        third = self.cli("check", "-c", path, "--json", "--instance", unique("c"),
                         check=False).stdout
        found = next(item for item in json.loads(third)["findings"]
                     if item["check"] == "xdp_program")
        self.assertEqual((found["status"], found["fix"]),
                         ("fail", f"vxlan-pipeline stop --instance {self.names['b']}"))

    def test_third(self):
        """Is refused on an interface that another listens on."""
        self.do("start a")
        self.do("start b")
        path = self.write(self.OTHER, name="c.yaml")
        third = unique("c")
        self.addCleanup(self.remove_instance, third)
        self.assertEqual(self.cli("run", "-c", path, "--instance", third, "-d", "5",
                                  check=False).returncode, 1)
        self.checks()


class Bypassed(Ways):
    """What docs/bypass.md says is not asked: each would stop every packet of the stack."""

    ROWS = (
        ("nftables, forward", ("nft add table inet t",
                               "nft add chain inet t c {type filter hook forward priority 0;"
                               "policy drop;}")),
        ("nftables, postrouting", ("nft add table inet t",
                                   "nft add chain inet t c {type filter hook postrouting "
                                   "priority 0;policy drop;}")),
        ("nftables, ingress", ("nft add table netdev t",
                               "nft add chain netdev t c {type filter hook ingress device in0 "
                               "priority 0;policy drop;}")),
        ("nftables, egress", ("nft add table netdev t",
                              "nft add chain netdev t c {type filter hook egress device out0 "
                              "priority 0;policy drop;}")),
        ("a queue that sends nothing", ("tc qdisc add dev out0 root tbf rate 8bit burst 1 "
                                        "limit 1",)),
        ("a routing rule by source", ("ip rule add from 10.1.0.1 blackhole",)),
        ("no forwarding", ("sysctl -qw net.ipv4.conf.all.forwarding=0",
                           "sysctl -qw net.ipv4.conf.in0.forwarding=0",
                           "sysctl -qw net.ipv4.conf.out0.forwarding=1")),
    )

    def test_not_asked(self):
        self.know_neighbour()
        for mode in ("native", "generic"):
            daemon = self.start({"listen": {"xdp_mode": mode}})
            for sentence, commands in self.ROWS:
                with self.subTest(f"{sentence}, {mode}"):
                    self.stopped_by(sentence, commands)
            self.assertEqual(daemon.terminate(), 0)

    def stopped_by(self, sentence, commands):
        try:
            for words in commands:
                need_commands(words.split()[0])
                result = self.appliance.run(*words.split(" ", 5) if words.startswith("nft add chain")
                                            else words.split(), check=False)
                if result.returncode:
                    self.skipTest(f"this kernel does not: {words}: {result.stderr.strip()}")
            self.in_port.send(*tunnels())
            self.assertEqual(len(self.out_port.receive(is_ip, PACKETS)), PACKETS, sentence)
        finally:
            for words in ("nft flush ruleset", "tc qdisc del dev out0 root",
                          "ip rule del from 10.1.0.1", "sysctl -qw net.ipv4.ip_forward=1"):
                self.appliance.run(*words.split(), check=False)
