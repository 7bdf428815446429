# SPDX-License-Identifier: GPL-2.0-only
"""
The condition is the truth: good, degraded or bad, and /healthz and `status` agree on it, whatever
becomes of the packets. Told within two seconds, and taken back within two.
"""

import select
import time

from lib import frames
from lib.command import wait_for
from lib.life import Background, tunnels
from lib.watch import Watched, metrics

OUT_OF_RANGE = "203.0.113.9"  # no route leads there


LOCAL = {"nat": [{"match": {"source_port": 1000}, "to": "10.20.0.1:9999"}]}


class Steady(Background):
    """A thread that sends the same frames over and over, while the test does something."""

    def __init__(self, test, packets, pause=0.005):
        super().__init__(self._send)
        self.test, self.packets, self.pause = test, packets, pause

    def _send(self):
        while not self.stop.is_set():
            self.test.in_port.send(*self.packets)
            self.stop.wait(self.pause)


def mirrored(packet, count=1):
    return [frames.tunnel(frames.inner(packet))] * count


def unroutable(count=1):
    """Packets that no rule matches, to where no route leads."""
    return mirrored(frames.udp("10.1.0.1", OUT_OF_RANGE, 7000, 514, b"x"), count)


def too_large(count=1):
    """IPv6, which nobody on the way may fragment."""
    return mirrored(frames.udp("2001:db8::1", "2001:db8::2", 1000, 514, bytes(1600)), count)


class Stated(Watched):
    """`unmatched: forward`, one rule for IPv4 and one for IPv6."""

    def config(self, *changes):
        return super().config({"forward": {"unmatched": "forward"}, "nat": [
            {"match": {"source_port": 1000}, "to": "10.20.0.2:8081"},
            {"match": {"source_port": 1000}, "to": "[fd20::2]:8081"}]}, *changes)

    def condition(self):
        """What /healthz says, in a word. Reads what the daemon notifies, which waits for that."""
        while select.select([self.daemon.notify], [], [], 0)[0]:
            self.daemon.notify.recv(4096)
        answer = self.get()
        if answer.status == 503:
            return "bad"
        self.assertEqual(answer.status, 200)
        return "good" if answer.text == "healthy\n" else "degraded"

    def assert_condition(self, condition, reason, sentence):
        """/healthz in time; then `status`, its exit status, and /metrics say the same."""
        self.told_when(lambda: self.condition() == condition, f"{sentence}: {condition}")
        if reason:
            self.told_when(lambda: reason in self.get().text, f"{sentence}: the reason")
        status = wait_for(lambda: self.status_like_healthz(condition), 5, "status like /healthz")
        self.assertIn(reason, " / ".join(status["reasons"]))
        time.sleep(0.6)  # a page is served for half a second
        series = metrics(self.get("/metrics").text)
        self.assertEqual(series["vxlan_pipeline_healthy", ()], 0 if condition == "bad" else 1)
        stated = {dict(labels)["condition"] for name, labels in series
                  if name == "vxlan_pipeline_condition"}
        self.assertEqual(condition if condition != "good" else "", max(stated, default="", key=[
            "", "degraded", "bad"].index))

    def status_like_healthz(self, condition):
        """json() holds the exit status against the document."""
        status = self.json("status")
        return status["condition"] == condition and status


class Condition(Stated):
    def test_shares(self):
        """What verdicts take of the traffic: a share makes a reason, and half of it 503."""
        for sentence, changes, packets, condition, reason in (
                ("100 % no_route", {}, unroutable(10), "bad", "no route leads to"),
                ("half no_route", {}, unroutable(5) + tunnels(5), "bad", "no_route"),
                ("a third no_route", {}, unroutable(4) + tunnels(8), "degraded", "no_route"),
                ("2 % no_route", {}, unroutable() + tunnels(49), "degraded", "no_route"),
                ("100 % oversize", {}, too_large(10), "bad", "oversize"),
                ("2 % oversize", {}, too_large() + tunnels(49), "degraded", "(1500 bytes)"),
                ("100 % passed to a kernel that does not route", {"forward": {"unmatched": "pass"}},
                 unroutable(10), "bad", "the kernel dropped them"),
                ("100 % passed to a port that nobody listens at", LOCAL, tunnels(10), "bad",
                 "the kernel dropped them"),
                ("5 % passed to a kernel that does not route", {"forward": {"unmatched": "pass"}},
                 unroutable() + tunnels(19), "degraded", "the kernel dropped them"),
                ("oversize that is dropped by configuration", {"forward": {"oversize": "drop"}},
                 too_large(10), "good", ""),
                ("no_route without unmatched: forward", {"forward": {"unmatched": "drop"}},
                 unroutable(10), "good", "")):
            with self.subTest(sentence):
                daemon = self.start(changes)
                wait_for(lambda: self.condition() == "good", 10, "health before")
                with Steady(self, packets):
                    self.assert_condition(condition, reason, sentence)
                self.assert_condition("good", "", f"after {sentence}")
                self.assertEqual(daemon.terminate(), 0)

    def test_thin_traffic(self):
        """A packet now and then, each without a route: no reading in between takes that back."""
        self.start()
        wait_for(lambda: self.condition() == "good", 10, "health before")
        with Steady(self, unroutable(), pause=0.7):
            self.told_when(lambda: self.condition() == "bad", "two packets of two")
            until = time.monotonic() + 5
            while time.monotonic() < until:
                self.assertEqual(self.condition(), "bad")
                time.sleep(0.02)
        self.told_when(lambda: self.condition() == "good", "it is over")

    def test_a_single_packet(self):
        """One packet without a route tells of itself, and does not take the appliance away."""
        self.start()
        wait_for(lambda: self.condition() == "good", 10, "health before")
        self.in_port.send(*unroutable())
        self.told_when(lambda: "1 of 1 packets ended as no_route" in self.get().text, "told")
        self.assertEqual(self.condition(), "degraded")
        self.told_when(lambda: self.condition() == "good", "it is over")

    def test_healthy_seconds(self):
        """Nothing is said while nothing is wrong, with packets of all kinds and without any."""
        daemon = self.start({"forward": {"unmatched": "drop"}})
        wait_for(lambda: self.condition() == "good", 10, "health")
        said = len(daemon.stderr)
        big = mirrored(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, bytes(2500)), 3)
        other = mirrored(frames.udp("10.1.0.1", "10.1.0.2", 2, 3), 20) + [bytes(60)] * 5
        self.watch_good(10)
        with Steady(self, tunnels(20) + big + other):
            self.watch_good(10)
        self.watch_good(1)
        self.assertEqual(daemon.stderr[said:], "")

    def watch_good(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = self.get()
            self.assertEqual((answer.status, answer.text), (200, "healthy\n"))
            time.sleep(0.05)
        self.assertEqual(self.json("status")["condition"], "good")

    def test_generic_mode(self):
        """Where native mode was wanted and refused, that is said, and flows stay here."""
        self.bridge()
        for mode, condition, reason in (("auto", "degraded", "br0 is in generic mode"),
                                        ("generic", "good", "")):
            with self.subTest(mode):
                daemon = self.start({"listen": {"interface": "br0", "xdp_mode": mode}})
                self.assert_condition(condition, reason, mode)
                self.assertTrue(self.forwards())
                self.assertEqual(daemon.terminate(), 0)

    def test_what_only_the_daemon_knows(self):
        """`status` says what /healthz says, also of what no pinned state tells."""
        self.start({"forward": {"mtu": 1500}})
        self.appliance.ip("link", "set", "out0", "mtu", "1300")
        self.assert_condition("bad", "the configuration cannot be applied again", "MTU lowered")
        self.appliance.ip("link", "set", "out0", "mtu", "1500")
        self.assert_condition("good", "", "MTU raised")

    def test_without_a_daemon(self):
        """Nobody answers at /healthz: `status` fails, and says so."""
        self.assertEqual(self.json("status")["condition"], "bad")
        self.start().kill()
        self.assertEqual(self.json("status")["condition"], "bad")

    def test_interface_that_was_away(self):
        """An interface that comes back with its old number: packets arrive, or health says no."""
        self.start()
        self.assertTrue(self.forwards())
        mac = self.collector.mac("c0")
        self.appliance.ip("link", "set", "out0", "netns", self.sender.name)
        self.sender.ip("link", "set", "out0", "netns", self.appliance.name)
        self.appliance.ip("link", "set", "out0", "up")
        self.appliance.ip("addr", "replace", "10.20.0.1/24", "dev", "out0")
        self.appliance.ip("addr", "replace", "fd20::1/64", "dev", "out0", "nodad")
        for address in ("10.20.0.2", "fd20::2"):
            self.appliance.ip("neigh", "replace", address, "lladdr", mac, "dev", "out0",
                              "nud", "permanent")
        wait_for(lambda: self.appliance.link("out0")["operstate"] == "UP", 5, "out0 up")
        time.sleep(3)
        self.forwards()
        time.sleep(1)
        before = self.verdicts().get("error", 0)
        with Steady(self, tunnels(10)):
            time.sleep(2)
            fails = self.verdicts().get("error", 0) > before
            self.assertEqual(self.condition() == "good", not fails, self.get().text)


class Targets(Stated):
    """Three rules, each with a target of its own: nobody's address, at the collector's MAC."""

    TARGETS = ("10.20.0.11", "10.20.0.12", "10.20.0.13")

    def config(self, *changes):
        return super().config({"nat": [{"match": {"source_port": 1000 + n}, "to": f"{to}:8081"}
                                       for n, to in enumerate(self.TARGETS)]}, *changes)

    def setUp(self):
        super().setUp()
        self.answer(*self.TARGETS)

    def answer(self, *targets):
        for target in targets:
            self.appliance.ip("neigh", "replace", target, "lladdr", self.collector.mac("c0"),
                              "dev", "out0", "nud", "permanent")

    def silence(self, *targets):
        for target in targets:
            self.appliance.ip("neigh", "replace", target, "dev", "out0", "nud", "failed")

    def to(self, target, count=10):
        return mirrored(frames.udp("10.1.0.1", "10.1.0.2", 1000 + self.TARGETS.index(target), 514),
                        count)

    def test_targets(self):
        """One that fails is another's reason to stay; only when all do, flows go elsewhere."""
        rows = (
            ("one of three, no packets", self.TARGETS[2:], [], "degraded"),
            ("one of three, packets for all", self.TARGETS[2:],
             sum((self.to(target) for target in self.TARGETS), []), "degraded"),
            ("one of three, packets for it alone", self.TARGETS[2:], self.to("10.20.0.13"),
             "degraded"),
            ("two of three", self.TARGETS[1:], self.to("10.20.0.11"), "degraded"),
            ("all of them, no packets", self.TARGETS, [], "bad"),
            ("all of them", self.TARGETS, self.to("10.20.0.11"), "bad"))
        self.start()
        for sentence, failing, packets, condition in rows:
            with self.subTest(sentence), Steady(self, packets or [bytes(60)]):
                wait_for(lambda: self.condition() == "good", 10, "health before")
                self.silence(*failing)
                self.assert_condition(condition, f"{failing[0]} (rule ", sentence)
                self.assertNotIn("no_route", self.get().text, "its own reason explains that")
                self.answer(*failing)
                self.assert_condition("good", "", f"after {sentence}")

    def test_a_target_does_not_hide_others(self):
        """
        Packets without a route are told of beside those for a target that fails. They are more: the
        counters of both are read one after the other, which takes a slow CPU longer.
        """
        self.start()
        self.silence("10.20.0.13")
        with Steady(self, self.to("10.20.0.13", 2) + self.to("10.20.0.11", 7) + unroutable(3)):
            self.assert_condition("degraded", "packets ended as no_route", "beside a target")
        with Steady(self, self.to("10.20.0.13", 5) + self.to("10.20.0.11", 1) + unroutable(9)):
            self.assert_condition("bad", "packets ended as no_route", "most of the others")

    def test_routing_rules(self):
        """What arrives is not called unwell, whatever the routing rules look at."""
        self.appliance.ip("route", "add", "198.51.100.0/24", "via", "10.20.0.2", "table", "100")
        to = [{"match": {"source_port": 1000}, "to": "198.51.100.1:8081"}]
        for sentence, rule in (("the interface", ("oif", "out0")),
                               ("the protocol", ("ipproto", "udp")),
                               ("the TOS", ("tos", "0x10")),
                               ("the captured source", ("from", "10.1.0.1"))):
            with self.subTest(sentence):
                self.appliance.ip("rule", "add", *rule, "lookup", "100")
                daemon = self.start({"nat": to})
                packets = mirrored(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, tos=0x10), 10)
                with Steady(self, packets):
                    time.sleep(2)
                    before = self.verdicts()
                    time.sleep(1)
                    after = self.verdicts()
                    arrives = after.get("no_route", 0) == before.get("no_route", 0)
                    self.assertEqual(self.condition(), "good" if arrives else "bad",
                                     f"{self.get().text}{before}{after}")
                self.assertEqual(daemon.terminate(), 0)
                self.appliance.ip("rule", "del", *rule, "lookup", "100")
