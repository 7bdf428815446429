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
import struct

from lib import frames, program
from lib.command import wait_for
from lib.daemon import Daemon
from lib.ground import Ground
from lib.port import Port, is_ip

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
LACKING = re.compile(r"Unknown device type|Operation not supported|not supported|"
                     r"Error: Unknown|No such device|unknown link type")
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

    # `native`: whether a program can be attached natively; what it takes at the far end
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
        ("a bond", True, ("link add t0 type bond mode active-backup", "link set out0 down",
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
        ("a bond", True, ("link add t0 type bond mode active-backup", "link set in0 down",
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
