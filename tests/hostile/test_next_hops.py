# SPDX-License-Identifier: GPL-2.0-only
"""
Next hops under hostile conditions: neighbours that are deleted, captured sources that no kernel
would route, policy routing by source, collectors that are down or come back with another MAC.
"""

import contextlib
import json
import re
import select
import signal
import socket
import subprocess
import time

from lib import frames
from lib.answers import IS_WHOLE
from lib.command import injected, need_commands, wait_for
from lib.daemon import HEARTBEAT_LIFETIME
from lib.ground import Ground
from lib.life import Background, Traffic
from lib.namespace import veth
from lib.port import Port, is_ip
from lib.program import PATIENCE

TARGETS = "10.20.0.2", "fd20::2"
SOURCES = "10.1.0.1", "fd01::1"
FOUND_WITHIN = 10.0  # seconds until a collector's new MAC is found by asking for it


def rules(ipv4="10.20.0.2:8081", ipv6="[fd20::2]:8081"):
    return {"nat": [{"match": {"source_port": 1000}, "to": to} for to in (ipv4, ipv6)]}


def packet(number, source=None):
    """A numbered packet, of IPv4 and IPv6 in turn, or from a source."""
    source = source or SOURCES[number % 2]
    return frames.udp(source, "fd01::9" if ":" in source else "10.1.0.9", 1000, 514,
                      b"number %06d" % number)


def tunnels(count, first=0):
    return [frames.tunnel(frames.inner(packet(n))) for n in range(first, first + count)]


def numbers(found):
    """The numbers of packets in the order in which they came."""
    return [int(match[1]) for match in (re.search(rb"number (\d{6})", frame) for frame in found)
            if match]


class Stream(Traffic):
    """A thousand packets a second, of IPv4 and IPv6 in turn."""

    def _send(self):
        started = time.monotonic()
        while not self.stop.is_set():
            if (time.monotonic() - started) * 1000 < self.sent:
                time.sleep(0.002)
                continue
            self.test.in_port.send(*tunnels(self.batch, self.sent))
            self.sent += self.batch

    def lost(self):
        came = numbers(self.collect())
        if len(set(came)) != len(came):
            raise AssertionError(f"{len(came) - len(set(came))} packets came twice")
        return self.sent - len(came)


class Hops(Ground):
    def addresses(self):
        super().addresses()
        # from which the kernel asks for IPv6 neighbours, when no packet of its own waits for one
        for namespace, interface in ((self.appliance, "out0"), (self.appliance, "in0")):
            namespace.ip("addr", "add", "fe80::a:1/64", "dev", interface, "nodad")

    def arrived(self, count=20):
        """How many of a few packets arrive, and the MACs that they go to."""
        self.in_port.send(*tunnels(count))
        found = [frame for frame in self.out_port.receive(is_ip, count, seconds=1)
                 if numbers([frame])]
        return len(found), {frame[:6].hex(":") for frame in found}

    def delivers(self, count=20):
        return self.arrived(count)[0] == count

    def explained(self, sent, *changes):
        """The verdicts of `explain` on this host."""
        capture = f"{self.work.path}/in.pcap"
        frames.write_pcap(capture, sent)
        path = self.write(*changes, name="explain.yaml")
        return re.findall(r'"verdict": ?"(\w+)"',
                          self.cli("explain", "-c", path, capture, "--json").stdout)


class SlowNeighbour(Background):
    """In place of the collector's kernel, answers requests for 10.20.0.2 after a while."""

    DELAY = 0.4  # seconds: less than the daemon waits for an answer

    def __init__(self, test):
        self.port = Port(test, test.collector, "c0")
        self.mac = frames.mac(test.collector.mac("c0"))
        test.collector.sysctl("net.ipv4.conf.c0.arp_ignore=8")
        super().__init__(self._answer)
        self.asked = 0

    @staticmethod
    def is_request(frame):
        return frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and \
            frame[38:42] == bytes((10, 20, 0, 2))

    def _answer(self):
        waiting = []
        while not self.stop.is_set():
            readable, _, _ = select.select([self.port.socket], [], [], 0.01)
            frame, address = self.port.socket.recvfrom(65536) if readable else (b"", None)
            if frame and address[2] != socket.PACKET_OUTGOING and self.is_request(frame):
                self.asked += 1
                waiting.append((time.monotonic() + self.DELAY, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                self.port.send(self.reply(waiting.pop(0)[1]))

    def reply(self, frame):
        asker = frame[22:32]  # its MAC and IPv4 address
        return asker[:6] + self.mac + frame[12:20] + b"\0\2" + self.mac + frame[38:42] + asker


class Deleted(Hops):
    """Somebody deletes neighbours that answer: what was known serves until they do again."""

    COMMANDS = (
        ("neigh", "flush", "dev", "out0"),
        ("neigh", "del", "10.20.0.2", "dev", "out0"),
        ("-6", "neigh", "flush", "dev", "out0"),
        ("-6", "neigh", "del", "fd20::2", "dev", "out0"),
        ("neigh", "flush", "all"),
    )

    def test_neighbours_deleted(self):
        self.start()
        wait_for(self.delivers, 5, "delivery")
        for command in self.COMMANDS if IS_WHOLE else self.COMMANDS[:4:2]:
            words = " ".join(command)
            with self.subTest(f"twenty times ip {words}"):
                before = self.verdicts()
                with Stream(self) as traffic:
                    for _ in range(20):
                        self.appliance.ip(*command, check=False)
                        time.sleep(0.1)
                self.assertEqual(traffic.lost(), 0, f"of {traffic.sent} packets; verdicts before "
                                 f"{before}, after {self.verdicts()}")
        with self.subTest("del and flush, in turn and at once"):
            with Stream(self) as traffic:
                for number in range(20):
                    for command in self.COMMANDS:
                        self.appliance.ip(*command, check=False)
                    time.sleep(0.02 * (number % 3))
            self.assertEqual(traffic.lost(), 0, f"of {traffic.sent} packets; {self.verdicts()}")


    def test_deleted_while_asked_for(self):
        """The kernel forgets whom it asks for, so the answer comes to nobody: it is asked again."""
        self.start()
        wait_for(self.delivers, 5, "delivery")
        with SlowNeighbour(self) as neighbour, Stream(self) as traffic:
            for _ in range(4):
                for _ in range(2):  # which fails if the neighbour comes back in between
                    self.appliance.ip("-4", "neigh", "flush", "dev", "out0", check=False)
                    time.sleep(SlowNeighbour.DELAY / 2)
                time.sleep(2)
            self.assertGreaterEqual(neighbour.asked, 8)
        self.assertEqual(traffic.lost(), 0, f"of {traffic.sent} packets; {self.verdicts()}")


class Sources(Hops):
    """The way to a rule's target does not depend on where a captured packet says to come from."""

    SOURCES = ("10.1.0.1", "127.0.0.1", "0.0.0.0", "224.0.0.5", "255.255.255.255", "10.20.0.1",
               "fd01::1", "fe80::1:2", "::1", "::", "ff02::1", "ff0e::1", "::ffff:10.1.0.1",
               "fd20::1")

    def test_sources(self):
        """`run`, `explain` and a killed daemon agree, and deliver."""
        self.know_neighbour()
        sent = [frames.tunnel(frames.inner(packet(n, source)))
                for n, source in enumerate(self.SOURCES)]
        found = {"explain": {n for n, verdict in enumerate(self.explained(sent))
                             if verdict == "redirected"}}
        daemon = self.start()
        found["run"] = self.got(sent)
        daemon.kill()
        found["the daemon killed, at once"] = self.got(sent)
        time.sleep(HEARTBEAT_LIFETIME)
        found["the daemon killed"] = self.got(sent)
        for where, came in found.items():
            with self.subTest(where):
                self.assertEqual([source for n, source in enumerate(self.SOURCES) if n not in came],
                                 [], "not delivered from these")

    def got(self, sent):
        self.in_port.send(*sent)
        return set(numbers(self.out_port.receive(is_ip, len(sent), seconds=1)))


class Policy(Hops):
    """Routing by source or in a VRF: `run`, `explain`, a killed daemon and health agree."""

    def by_source(self):
        """Packets from captured sources look into table 100."""
        for ipv, source in (("-4", "10.1.0.0/16"), ("-6", "fd01::/64")):
            self.appliance.ip(ipv, "rule", "add", "from", source, "lookup", "100", "priority", "50")

    def agree(self, *changes):
        """{where: whether packets are delivered}, and health; then the same as text."""
        sent, found = tunnels(20), {}
        daemon = self.start(*changes)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.status()["healthy"], 1.5, "health")
        found["run"] = self.delivers()
        status = self.status()
        found["health"], reasons = status["healthy"], status["reasons"]
        daemon.kill()
        time.sleep(HEARTBEAT_LIFETIME)
        found["killed"] = self.delivers()
        found["explain"] = set(self.explained(sent, *changes)) == {"redirected"}
        return found, f"{found}; {reasons}; {self.verdicts()}"

    def status(self):
        """Of an instance that may not be healthy: the command may exit with 1."""
        return json.loads(self.cli("status", "--json", "--instance", self.instance,
                                   check=False).stdout)

    def test_another_way_by_source(self):
        """A table for captured sources leads elsewhere; a rule's target gets its packets still."""
        self.know_neighbour()
        self.by_source()
        for ipv in ("-4", "-6"):
            self.appliance.ip(ipv, "route", "add", "blackhole", "default", "table", "100")
        found, said = self.agree()
        self.assertEqual(set(found.values()), {True}, said)

    def test_a_way_by_source_alone(self):
        """
        Only that table knows a way. It depends on the captured source, so that it is none to a rule's
        target: nothing is delivered, and health says so. (`explain` simulates routes of its own.)
        """
        self.know_neighbour()
        self.by_source()
        for target, gateway in (("198.51.100.0/24", "10.20.0.2"), ("2001:db8:9::/48", "fd20::2")):
            self.appliance.ip("route", "add", target, "via", gateway, "table", "100")
        found, said = self.agree(rules("198.51.100.1:8081", "[2001:db8:9::1]:8081"))
        del found["explain"]
        self.assertEqual(set(found.values()), {False}, said)

    def test_vrf(self):
        """Both interfaces in one VRF, whose table knows the target."""
        made = self.appliance.ip("link", "add", "vrf0", "type", "vrf", "table", "10", check=False)
        if made.returncode:
            self.skipTest(f"this kernel has no VRF: {made.stderr.strip()}")
        self.appliance.ip("link", "set", "vrf0", "up")
        for interface in ("in0", "out0"):
            self.appliance.ip("link", "set", interface, "master", "vrf0")
        # moving takes IPv6 addresses away
        self.appliance.ip("addr", "replace", "fd20::1/64", "dev", "out0", "nodad")
        self.know_neighbour()
        found, said = self.agree()
        self.assertEqual(set(found.values()), {True}, said)


class Collector(Hops):
    """One that is down at the start, that comes, and that comes back with another MAC."""

    def down(self):
        for address in ("10.20.0.2/24", "fd20::2/64"):
            self.collector.ip("addr", "del", address, "dev", "c0")

    def up(self):
        for address, more in (("10.20.0.2/24", ()), ("fd20::2/64", ("nodad",))):
            self.collector.ip("addr", "add", address, "dev", "c0", *more)

    def test_answers_at_the_start(self):
        """A start asks for its targets before it attaches: the first packet knows the way."""
        self.start()
        self.in_port.send(*tunnels(20))
        self.assertEqual(len(numbers(self.out_port.receive(is_ip, 20))), 20)
        self.assertEqual(self.verdicts(), {"redirected": 20})

    def test_down_at_the_start(self):
        """The start goes on, the kernel gets nothing, and the collector all once it is up."""
        self.down()
        began = time.monotonic()
        self.start()
        self.assertLess(time.monotonic() - began, 4 * PATIENCE, "the start is not held up for long")
        self.in_port.send(*tunnels(100))
        time.sleep(1)
        with self.subTest("verdicts"):
            self.assertEqual(self.verdicts(), {"no_route": 100})
        self.up()
        wait_for(self.delivers, 5, "delivery")

    def test_another_mac(self):
        """Without a word from the collector: who sends to it has to ask."""
        self.start()
        wait_for(self.delivers, 5, "delivery")
        mac, told = "02:00:5e:00:00:dd", {}
        self.collector.ip("link", "set", "c0", "address", mac)
        since = time.monotonic()
        with Stream(self):
            while len(told) < 2 and time.monotonic() - since < FOUND_WITHIN * PATIENCE:
                for frame in self.out_port.receive(
                        lambda frame: frame[:6] == frames.mac(mac) and numbers([frame]), 1, 0, 0.1):
                    told.setdefault(frame[12:14].hex(), time.monotonic() - since)
        for name, ethertype in (("IPv4", "0800"), ("IPv6", "86dd")):
            with self.subTest(name):
                self.assertIn(ethertype, told, f"not found within {FOUND_WITHIN} s")
        print(f"    found after { {name: round(seconds, 1) for name, seconds in told.items()} } s",
              flush=True)


class Faults(Hops):
    """What fails once is tried again."""

    def tracer(self, daemon):
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
            return int(re.search(r"TracerPid:\s*(\d+)", file.read())[1])

    def reload(self, daemon, fault):
        with subprocess.Popen((*fault, "-p", str(daemon.pid))) as tracer:
            try:
                wait_for(lambda: self.tracer(daemon) == tracer.pid, 5, "strace")
                daemon.signal(signal.SIGHUP)
                daemon.notified("RELOADING=1")
                daemon.notified("READY=1")
            finally:
                tracer.terminate()
                tracer.wait()
        wait_for(lambda: self.tracer(daemon) == 0, 5, "strace to end")

    def test_next_hops_that_cannot_be_followed(self):
        """
        At a reload the routing tables cannot be read. Where the interface does not forward only the
        daemon can tell the way, so that all packets are lost until it has tried again.
        """
        need_commands("strace")
        self.appliance.sysctl("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
        self.know_neighbour()
        daemon = self.start()
        self.assertTrue(self.delivers())
        rows = [("bind", n) for n in range(1, 5)]
        if IS_WHOLE:
            rows += [("sendto", n) for n in range(1, 13)] + [("recvmsg", n) for n in range(1, 9)]
        for call, number in rows:
            with self.subTest(f"call {number} of {call} fails"):
                self.reload(daemon, injected(call, f"error=ENOMEM:when={number}"))
                wait_for(self.delivers, 3, "delivery")
            if not self.delivers():
                self.reload(daemon, injected(call, "error=ENOMEM:when=10000"))


class WaysOut(Hops):
    """A target's way moves to another interface and back while packets flow."""

    def test_two_gateways_flap(self):
        """A route that flaps between two gateways that answer: each packet goes to one of them."""
        self.collector.ip("addr", "add", "10.20.0.3/24", "dev", "c0")
        self.collector.ip("addr", "add", "fd20::3/64", "dev", "c0", "nodad")
        veth(self.appliance, "out1", self.collector, "c1")
        for network, gateway in (("198.51.100.0/24", "10.20.0.2"), ("2001:db8:9::/48", "fd20::2")):
            self.appliance.ip("route", "add", network, "via", gateway)
        self.start(rules("198.51.100.1:8081", "[2001:db8:9::1]:8081"))
        wait_for(self.delivers, 5, "delivery")
        with Stream(self) as traffic:
            for number in range(20):
                last = 2 + (number + 1) % 2
                for network, gateway in (("198.51.100.0/24", f"10.20.0.{last}"),
                                         ("2001:db8:9::/48", f"fd20::{last}")):
                    self.appliance.ip("route", "replace", network, "via", gateway)
                time.sleep(0.1)
        self.assertEqual(traffic.lost(), 0, f"of {traffic.sent}; {self.verdicts()}")
