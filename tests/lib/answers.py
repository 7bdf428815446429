# SPDX-License-Identifier: GPL-2.0-only
"""
A ground on which every answer of the appliance's kernel to a captured packet would leave, and be
seen: the appliance knows a way back to every captured source, and limits no answer's rate.

    sender s0 ---- in0 appliance out0 ---- c0 collector
                          back0
                            |
                            w0 witness, through which captured sources are reached
"""

import collections
import os
import socket
import struct
import threading
import time

from . import frames, hostile
from .ground import Ground
from .namespace import Namespace, veth
from .port import Port
from .program import PATIENCE

# Packets of each IP version that a row sends. The whole storm: TEST_STORM=10000.
STORM = int(os.environ.get("TEST_STORM") or 1000)
IS_WHOLE = STORM >= 10000
AT_ONCE = 500  # frames between two looks at what has left, which bounds what sockets hold
SOL_PACKET, PACKET_STATISTICS = 263, 6

# The addresses that the appliance itself sends from, and the ones it has reason to send to.
OWN = {frames.address(text) for text in (
    "10.9.0.2", "10.20.0.1", "10.21.0.1", "10.30.0.1", "fd09::2", "fd20::1", "fd21::1", "fd30::1",
    "fe80::a:1", "fe80::a:2", "fe80::a:3")}
PEERS = {frames.address(text) for text in (
    "10.9.0.1", "10.20.0.2", "10.30.0.2", "fd09::1", "fd20::2", "fd30::2")}
TUNNEL_PORT = b"\x12\xb5"  # 4789
SOLICITATION, ADVERTISEMENT, MLD_REPORT, MLD2_REPORT = 135, 136, 131, 143
NAMES = {
    (4, 0): "echo reply", (4, 3): "destination unreachable", (4, 5): "redirect",
    (4, 11): "time exceeded", (4, 12): "parameter problem", (4, 14): "timestamp reply",
    (4, 18): "address mask reply", (4, 43): "extended echo reply",
    (6, 1): "destination unreachable", (6, 2): "packet too big", (6, 3): "time exceeded",
    (6, 4): "parameter problem", (6, 129): "echo reply", (6, 136): "neighbour advertisement",
    (6, 137): "redirect", (6, 161): "extended echo reply",
}

# Destinations of captured packets by what the appliance knows of them.
LIVE = {4: ["10.64.0.0/11"], 6: ["2001:db8:c::/48"]}    # the collector is the gateway
DEAD = {4: ["10.96.0.0/11"], 6: ["2001:db8:d::/48"]}    # nobody answers for the gateway
NOBODY = {4: ["10.21.0.0/16"], 6: ["fd21::/64"]}        # on the link of out0, and not there
NOWHERE = {4: ["10.50.0.0/16"], 6: ["2001:db8:10::/48"]}  # no route
REFUSED = {4: ["10.40.0.0/16"], 6: ["2001:db8:e::/48"]}   # a route that says unreachable
BEHIND = {4: ["10.41.0.0/16"], 6: ["2001:db8:f::/48"]}    # out of another interface
LOCAL = {4: ["10.9.0.2", "10.20.0.1"], 6: ["fd09::2", "fd20::1"]}
ANYWHERE = {version: [place[version][0] for place in (DEAD, NOBODY, NOWHERE, REFUSED, BEHIND)] +
            LOCAL[version] * 2 for version in (4, 6)}


def rules(ipv4, ipv6):
    return {"nat": [{"match": {"source_port": hostile.PORT}, "to": to} for to in (ipv4, ipv6)]}


def unmatched(policy, **forward):
    return {"nat": [], "forward": {"unmatched": policy, **forward}}


def name_of(version, protocol, payload):
    """What an answer is called."""
    if protocol in (frames.ICMP, frames.ICMPV6) and payload:
        return NAMES.get((version, payload[0]), f"ICMP type {payload[0]}")
    if protocol == frames.TCP and len(payload) >= 14:
        flags = payload[13]
        return "RST" if flags & 4 else "SYN and ACK" if flags & 0x12 == 0x12 else "ACK"
    return "membership report" if protocol == hostile.IGMP else f"protocol {protocol}"


def answer_ipv4(packet):
    source, destination, protocol = packet[12:16], packet[16:20], packet[9]
    payload = packet[(packet[0] & 15) * 4:]
    if source in OWN and protocol == frames.UDP and payload[2:4] == TUNNEL_PORT:
        return answer(payload[16:])  # of the kernel's own VXLAN
    name = name_of(4, protocol, payload)
    if hostile.is_captured(destination):
        return f"IPv4 {name}"
    if source not in OWN:
        return None
    # what the tunnel itself provokes goes to the mirror source
    return f"tunnel: IPv4 {name}" if destination in PEERS else f"IPv4 {name} elsewhere"


def answer_ipv6(packet):
    source, destination, protocol, payload = packet[8:24], packet[24:40], packet[6], packet[40:]
    if protocol == hostile.HOP_BY_HOP and len(payload) >= 8:
        protocol, payload = payload[0], payload[8:]
    if protocol == frames.ICMPV6 and payload[:1]:
        kind = payload[0]
        if kind == SOLICITATION and source in OWN:
            return "IPv6 solicitation of a captured source" if hostile.is_captured(payload[8:24]) \
                else None
        # to a group (RFC 2710, RFC 3810); a captured report with such a source goes where it is sent
        if kind in (MLD_REPORT, MLD2_REPORT) and destination[0] == 0xFF and \
                (source in OWN or not any(source)):
            return "IPv6 membership report"
        if kind == ADVERTISEMENT and source in OWN and destination in PEERS:
            return None  # to the collector, which asks for its neighbours
    name = name_of(6, protocol, payload)
    if hostile.is_captured(destination):
        return f"IPv6 {name}"
    if source not in OWN:
        return None
    return f"tunnel: IPv6 {name}" if destination in PEERS else f"IPv6 {name} elsewhere"


def answer(frame):
    """What a frame that left the appliance is, if it is an answer to a captured packet; or None."""
    kind = frame[12:14]
    if kind == b"\x08\x06":
        asks = frame[20:22] == b"\0\1" and hostile.is_captured(frame[38:42])
        return "IPv4 ARP for a captured source" if asks else None
    if kind == b"\x08\0" and len(frame) >= 34:
        return answer_ipv4(frame[14:])
    if kind == b"\x86\xdd" and len(frame) >= 54:
        return answer_ipv6(frame[14:])
    return None


class Answers(Ground):
    """`answers`: how many left, by name and interface. Rows may share the ground."""

    def setUp(self):
        super().setUp()
        self.answers, self.seen, self.largest = collections.Counter(), 0, 0
        self.say_everything()
        self.settle()
        self.forget()

    def addresses(self):
        """Those of the base, the witness, and a way to every captured source."""
        super().addresses()
        self.witness = Namespace(self, "w")
        veth(self.appliance, "back0", self.witness, "w0")
        appliance = self.appliance
        for address, interface in (
                ("10.9.0.3/24", "in0"), ("10.30.0.1/24", "back0"), ("10.21.0.1/16", "out0"),
                ("fd09::2/64", "in0"), ("fd09::3/64", "in0"), ("fd30::1/64", "back0"),
                ("fd21::1/64", "out0"), ("fe80::a:1/64", "in0"), ("fe80::a:2/64", "out0"),
                ("fe80::a:3/64", "back0")):
            appliance.ip("addr", "add", address, "dev", interface,
                         *(("nodad",) if ":" in address else ()))
        for gateway, interface, namespace, peer in (
                ("10.30.0.2", "back0", self.witness, "w0"),
                ("fd30::2", "back0", self.witness, "w0"),
                ("fd09::1", "in0", self.sender, "s0"), ("10.9.0.1", "in0", self.sender, "s0")):
            appliance.ip("neigh", "replace", gateway, "lladdr", namespace.mac(peer),
                         "dev", interface, "nud", "permanent")
        for version, gateway in ((4, "10.30.0.2"), (6, "fd30::2")):
            appliance.ip("route", "add", hostile.ROUTED[version], "via", gateway)
        self.witness_port = Port(self, self.witness, "w0")

    def say_everything(self):
        """No limit to the rate of answers, and those that come late come soon."""
        for setting in ("net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0",
                        "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=1000000",
                        "net.ipv4.icmp_echo_ignore_broadcasts=0", "net.ipv4.ipfrag_time=1",
                        "net.ipv4.icmp_echo_enable_probe=1", "net.ipv6.ip6frag_time=1"):
            self.appliance.run("sysctl", "-q", "-w", setting, check=False)
        for interface in ("in0", "out0", "back0"):
            self.appliance.sysctl(  # what a host reports by itself is over soon
                f"net.ipv4.conf.{interface}.igmpv3_unsolicited_report_interval=20",
                f"net.ipv6.conf.{interface}.mldv2_unsolicited_report_interval=20")
            self.answer_soon(interface)
        # to report when somebody asks who listens
        group = self.appliance.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(group.close)
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack(
            "4s4s", frames.address("239.1.1.1"), frames.address("10.9.0.2")))

    def answer_soon(self, interface, milliseconds=100):
        """Neighbours that do not answer have failed after three times this, instead of 3 s."""
        for version in (4, 6):
            self.appliance.sysctl(
                f"net.ipv{version}.neigh.{interface}.retrans_time_ms={milliseconds}")

    def ports(self):
        return {"in0": self.in_port, "out0": self.out_port, "back0": self.witness_port}

    def look(self):
        """Counts what has left by now."""
        for interface, port in self.ports().items():
            while True:
                try:
                    frame, address = port.socket.recvfrom(65536)
                except BlockingIOError:
                    break
                if address[2] == socket.PACKET_OUTGOING:
                    continue
                self.seen += 1
                if frame[12:14] in (b"\x08\0", b"\x86\xdd"):
                    self.largest = max(self.largest, len(frame) - 14)
                name = answer(frame)
                if name:
                    self.answers[f"{name} out of {interface}"] += 1

    def settle(self, seconds=1.4):
        """Looks until late answers have left, too: a reassembly fails after a second."""
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline:
            self.look()
            time.sleep(0.02)
        for interface, port in self.ports().items():
            lost = struct.unpack("II", port.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
            self.assertEqual(lost, 0, f"frames out of {interface} that this test did not get")

    def send(self, storm):
        for at in range(0, len(storm), AT_ONCE):
            self.in_port.send(*storm[at:at + AT_ONCE])
            self.look()

    def answered(self, *names):
        """The answers counted since the last `forget()` whose names begin so, as text; "": none."""
        return ", ".join(f"{number} x {name}" for name, number in sorted(self.answers.items())
                         if name.startswith(names or ""))

    def assert_silent(self, *names):
        """No such answer has left since the last `forget()`."""
        said = self.answered(*names)
        if said:
            self.fail(f"answers have left: {said}\nverdicts: {self.verdicts()}")

    def forget(self):
        self.look()
        self.answers.clear()
        self.seen = self.largest = 0


class Routed(Answers):
    """What the appliance knows of the destinations above."""

    def addresses(self):
        super().addresses()
        for version, live, dead, behind in ((4, "10.20.0.2", "10.20.0.99", "10.30.0.2"),
                                            (6, "fd20::2", "fd20::99", "fd30::2")):
            for place, gateway in ((LIVE, live), (DEAD, dead), (BEHIND, behind)):
                self.appliance.ip("route", "add", place[version][0], "via", gateway)
            self.appliance.ip("route", "add", "unreachable", REFUSED[version][0])

    def storm(self, destinations, count=STORM, **fields):
        return {version: hostile.storm(version, count, destinations[version], **fields)
                for version in (4, 6)}

    def forget_neighbours(self):
        for interface in ("in0", "out0"):
            self.appliance.ip("neigh", "flush", "dev", interface)


class Weather:
    """The storm again and again from a thread, `pps` packets a second, while the test looks."""

    def __init__(self, test, storm, pps=1000):
        self.test, self.storm, self.pps, self.sent = test, storm, pps, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        started, batch = time.monotonic(), max(1, self.pps // 100)
        while not self.stop.is_set():
            due = int((time.monotonic() - started) * self.pps) - self.sent
            if due < batch:
                time.sleep(0.005)
                continue
            self.test.in_port.send(*(self.storm[n % len(self.storm)]
                                     for n in range(self.sent, self.sent + batch)))
            self.sent += batch

    def __enter__(self):
        self.thread.start()
        self.test.settle(0.1)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
