# SPDX-License-Identifier: GPL-2.0-only
"""
The kernel never answers a captured packet, whatever happens to the instance meanwhile: reloads,
restarts, kill -9, somebody who flushes the rules of nftables, targets that are down from the start.
"""

import signal

from lib import frames, hostile
from lib.answers import ANYWHERE, IS_WHOLE, Routed, Weather, rules, unmatched
from lib.command import need_commands, wait_for
from lib.namespace import Namespace, veth
from lib.port import Port
from lib.program import PATIENCE


class Life(Routed):
    """The storm goes on while the instance changes hands."""

    GAP = 100 * PATIENCE  # answers that may leave until the rules are there again: a tenth of a
    # second; from Linux 6.9 on they do not go away: none

    def setUp(self):
        super().setUp()
        storm = self.storm(ANYWHERE, 1000)
        self.mixed = [frame for pair in zip(storm[4], storm[6]) for frame in pair]

    def restart(self, daemon):
        self.assertEqual(daemon.terminate(), 0)
        return self.start(unmatched("pass"))

    def crash(self, daemon):
        daemon.kill()
        self.settle(0.3)
        return self.start(unmatched("pass"))

    def reload(self, daemon):
        daemon.signal(signal.SIGHUP)
        daemon.notified("RELOADING=1")
        daemon.notified("READY=1")
        return daemon

    def test_life(self):
        """None while it reloads, restarts, dies and is started again."""
        daemon = self.start(unmatched("pass"))
        for name, change in (("a reload", self.reload), ("a clean restart", self.restart),
                             ("kill -9 and a start", self.crash)) * (5 if IS_WHOLE else 1):
            self.forget()
            with Weather(self, self.mixed):
                self.settle(0.3)
                daemon = change(daemon)
                self.settle(0.3)
            self.settle()
            with self.subTest(name):
                # without an instance the tunnel's port is closed: that is no captured packet
                self.assert_silent("IPv")
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_somebody_flushes_the_rules(self):
        """`nft flush ruleset` by somebody else: what the daemon needs is there again at once."""
        need_commands("nft")
        daemon = self.start(unmatched("pass"))
        owned = "owner" in self.appliance.run("nft", "list", "ruleset").stdout
        gaps = []
        for _ in range(5 if IS_WHOLE else 1):
            self.forget()
            with Weather(self, self.mixed):
                self.settle(0.2)
                with self.subTest("before"):
                    self.assert_silent("IPv")
                self.forget()
                self.appliance.run("nft", "flush", "ruleset")
                # an answer to a packet of the gap may take a second, and another 0.3 s each time that
                # the kernel asks for its receiver's neighbour in vain
                self.settle(2.5)
                gaps.append(sum(self.answers.values()))
                said = self.answered("IPv")
                self.forget()
                self.settle(0.3)
            self.settle()
            with self.subTest("after"):
                self.assert_silent("IPv")
            with self.subTest("until they are there again"):
                self.assertLessEqual(gaps[-1], 0 if owned else self.GAP, said)
        print(f"    answers after nft flush ruleset, at 1,000 packets a second: {gaps}", flush=True)
        self.assertEqual(daemon.terminate(), 0)


class Elsewhere(Routed):
    """listen.interface is renamed, or goes where no rules silence the kernel."""

    def addresses(self):
        super().addresses()
        self.other = Namespace(self, "o")
        veth(self.other, "back1", self.witness, "w1")
        self.other.ip("addr", "add", "10.31.0.1/24", "dev", "back1")
        self.other.sysctl("net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
        self.other_port = Port(self, self.witness, "w1")

    def ports(self):
        return {"back1": self.other_port, **super().ports()}

    def take(self, namespace):
        """The interface, its address, and ways to captured sources and destinations."""
        namespace.ip("addr", "add", "10.9.0.2/24", "dev", "in0")
        namespace.ip("link", "set", "in0", "up")
        if namespace is self.other:
            namespace.ip("neigh", "replace", "10.31.0.2", "lladdr", self.witness.mac("w1"),
                         "dev", "back1", "nud", "permanent")
            namespace.ip("route", "add", hostile.ROUTED[4], "via", "10.31.0.2")

    def passes(self, *versions):
        """Whether packets of a storm were passed to the kernel; none of them is answered."""
        before = self.verdicts().get("passed", 0)
        self.forget()
        for version in versions:
            self.send(hostile.storm(version, 300, ANYWHERE[version]))
        self.settle()
        # an interface that comes up tells of its own groups, over IPv6
        self.assert_silent(*(f"IPv{version} " for version in versions))
        return self.verdicts().get("passed", 0) > before

    def test_another_name(self):
        """Renamed while it is up, which Linux 6.2 and later allow, and renamed back."""
        need_commands("nft")
        daemon = self.start(unmatched("pass"))
        old = "in0"
        for new in ("moved0", "in0"):
            renamed = self.appliance.ip("link", "set", old, "name", new, check=False)
            if renamed.returncode:
                self.skipTest(f"this kernel does not rename it: {renamed.stderr.strip()}")
            wait_for(lambda name=new: f'device "{name}"' in self.appliance.run(
                "nft", "list", "table", "netdev", f"vxlan-pipeline-{self.instance}").stdout, 2,
                "rules of the new name")
            self.assertIn(f"{old} is called {new} now", daemon.stderr)
            with self.subTest(new):
                self.assertTrue(self.passes(4, 6))
            old = new

    def test_another_namespace(self):
        self.start(unmatched("pass"))
        self.assertTrue(self.passes(4))
        self.appliance.ip("link", "set", "in0", "netns", self.other.name)
        self.take(self.other)
        self.assertFalse(self.passes(4))
        self.other.ip("link", "set", "in0", "netns", self.appliance.name)
        self.take(self.appliance)
        wait_for(lambda: self.json("status")["state"] == "running" and self.passes(4), 10,
                 "packets are passed again")


class TargetsDown(Routed):
    """
    A new generation knows what the one before knew, and the first one asks before it attaches:
    packets to targets that do not answer are not handed to the kernel.
    """

    DOWN = rules("10.20.0.77:8081", "[fd20::77]:8081")

    def say_everything(self):
        super().say_everything()
        self.answer_soon("out0", 500)  # failed after 1.5 s: later than a start waits

    def test_targets_down(self):
        ends = (("10.200.0.{}", "10.64.0.1"), ("2001:db8:b::{}", "2001:db8:c::1"))
        packets = (frames.udp(source.format(n % 200), end, hostile.PORT, 514)
                   for n in range(2000) for source, end in ends)
        mild = [frames.tunnel(frames.inner(packet)) for packet in packets]
        with Weather(self, mild, 400):
            daemon = self.start(self.DOWN)
            self.settle(2.5)
            self.told("a start")
            daemon.signal(signal.SIGHUP)
            daemon.notified("READY=1")
            self.settle(2.5)
            self.told("a reload")
            self.assertEqual(daemon.terminate(), 0)
            self.forget_neighbours()
            daemon = self.start(self.DOWN)
            self.settle(2.5)
            self.told("a clean restart")
            if not IS_WHOLE:
                return
            daemon.kill()
            self.settle(0.5)
            self.forget_neighbours()
            self.start(self.DOWN)
            self.settle(2.5)
            self.told("kill -9 and a start")

    def told(self, moment):
        with self.subTest(moment):
            self.assert_silent("IPv")
        self.forget()
