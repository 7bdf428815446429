# SPDX-License-Identifier: GPL-2.0-only
"""Peculiarities of virtio-net: native mode, the driver's limits, links that go down."""

import json
import re
import subprocess

import guest_host
from lib import frames, kernel, program
from lib.command import wait_for
from lib.ground import WIRES
from lib.life import Lifecycle, tunnels
from lib.port import Port, is_ip
from lib.program import PATIENCE
from lib.watch import Watched

DRIVER_MODE = 1  # XDP_ATTACHED_DRV
(_, IN0), (OUT0, _), SHORT_OF_QUEUES = WIRES


class VirtioNet(Lifecycle):
    def counter(self, interface, pattern):
        """The sum of a counter over all queues. The pattern must not match drivers' totals."""
        lines = self.appliance.run("ethtool", "-S", interface).stdout.splitlines()
        values = [int(line.split(":")[1]) for line in lines
                  if re.fullmatch(pattern, line.split(":")[0].strip())]
        self.assertTrue(values, f"{interface} counts no {pattern}: {lines}")
        return sum(values)

    def start_native(self, *changes):
        return self.start({"listen": {"xdp_mode": "native"}}, *changes)


class NativeMode(VirtioNet):
    def test_the_driver_runs_the_program(self):
        """By its own statistics, the driver ran the program and sent the redirected frames."""
        for interface in ("in0", "out0"):
            self.assertIn("driver: virtio_net", self.appliance.run("ethtool", "-i", interface).stdout)
        daemon = self.start_native()
        self.assertEqual(self.appliance.xdp("in0")["mode"], DRIVER_MODE)
        self.assertEqual(self.appliance.xdp("out0")["mode"], DRIVER_MODE)
        received = self.counter("in0", r"rx\w*\d_xdp_redirects")
        sent = self.counter("out0", r"tx\w*\d_xdp_tx")
        self.assertTrue(self.forwards(500))
        self.assertEqual(self.counter("in0", r"rx\w*\d_xdp_redirects") - received, 500)
        self.assertEqual(self.counter("out0", r"tx\w*\d_xdp_tx") - sent, 500)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_single_arm(self):
        """The driver transmits the frames of a single-arm instance."""
        before = self.counter("in0", r"rx\w*\d_xdp_tx")
        self.start_native({"forward": {"interface": None, "next_hop": "02:00:00:00:66:66"}})
        self.in_port.send(*tunnels(300))
        self.assertEqual(len(self.in_port.receive(is_ip, 300)), 300)
        self.assertEqual(self.verdicts(), {"transmitted": 300})
        self.assertEqual(self.counter("in0", r"rx\w*\d_xdp_tx") - before, 300)

    def test_every_queue(self):
        """Packets of flows on all receive queues arrive and are counted."""
        self.start_native()
        sent = [frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"%d" % n)),
                              source=f"10.0.{n % 7}.{n % 250 + 1}") for n in range(1000)]
        self.in_port.send(*sent)
        self.assertEqual(len(self.out_port.receive(is_ip, 1000)), 1000)
        self.assertEqual(self.verdicts(), {"redirected": 1000})


class Generate(VirtioNet):
    def receive(self, *words):
        receiver = subprocess.Popen(  # pylint: disable=consider-using-with
            self.collector.command(program.PROGRAM, "generate", "-i", "c0", "--receive", "--json",
                                   *words),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.addCleanup(receiver.communicate)
        self.addCleanup(receiver.kill)
        return receiver

    def test_through_the_pipeline(self):
        """Every packet arrives, or `generate` says in one line which Linux it needs."""
        words = ("-i", "s0", "--destination-mac", self.appliance.mac("in0"), "--inner-size", "200",
                 "--pps", "1000")
        if not kernel.sends_frames():
            result = self.sender.run(program.PROGRAM, "generate", *words, "--count", "10",
                                     check=False)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn("takes Linux 5.18", result.stderr)
            return
        self.start_native({"nat": [{"match": {"protocol": "udp"}, "to": "10.20.0.2:8081"}]})
        receiver = self.receive("--count", "5000", "--seconds", "60")
        wait_for(lambda: self.collector.xdp("c0"), 5, "the receiver")
        self.sender.run(program.PROGRAM, "generate", *words, "--count", "5000", check=False)
        out, err = receiver.communicate(timeout=80 * PATIENCE)
        self.assertEqual(receiver.returncode, 0, err)
        report = json.loads(out)
        self.assertEqual((report["packets"], report["lost"], report["duplicates"]), (5000, 0, 0))
        self.assertEqual(self.verdicts(), {"redirected": 5000})
        self.assertIsNone(self.sender.xdp("s0"), "nothing is left")


class Limits(VirtioNet):
    def refused_native(self, interface):
        """Tries native mode; returns why it is refused, or None if it works."""
        path = self.write({"listen": {"interface": interface, "xdp_mode": "native"}})
        result = self.cli("run", "-c", path, "--instance", self.instance, "-d", "1", check=False)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        self.assert_nothing_left()
        if result.returncode == 0:
            return None
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        self.assertIn(interface, result.stderr)
        return result.stderr

    def follow_suit(self, interface, refusal):
        """`auto` is native, or after a refusal generic, with a message; either mode forwards."""
        daemon = self.start({"listen": {"interface": interface, "xdp_mode": "auto"}})
        mode = self.json("status")["mode"]
        self.assertEqual(mode, "generic" if refusal else "native")
        if refusal:
            self.assertRegex(daemon.stderr, f"{interface}.*generic|generic.*{interface}")
        self.assertTrue(self.forwards(50))
        self.assertEqual(self.verdicts(), {"redirected": 50})

    def test_mtu_beyond_one_buffer(self):
        """Native mode is refused before Linux 6.3, with the MTU as reason, and works since."""
        self.appliance.ip("link", "set", "in0", "mtu", "9000")
        refusal = self.refused_native("in0")
        if refusal:
            self.assertIn("mtu", refusal.lower())
        self.follow_suit("in0", refusal)

    def test_mtu_changed_under_the_program(self):
        """Traffic goes on, whether or not the driver accepts the MTU."""
        self.start_native()
        self.assertTrue(self.forwards(20))
        for mtu in ("9000", "1500", "3498"):
            with self.subTest(mtu):
                self.appliance.ip("link", "set", "in0", "mtu", mtu, check=False)
                self.assertTrue(self.forwards(20))
        self.assertEqual(self.verdicts(), {"redirected": 80})

    def test_too_few_queues(self):
        """
        XDP wants a transmit queue for every CPU. If too few are left, the driver shares them, or
        refuses XDP before Linux 5.13. It helps to take one from the stack.
        """
        self.wire(SHORT_OF_QUEUES, self.sender, "s1", self.appliance, "in1", self.MTU_IN)
        self.appliance.ip("link", "set", "in1", "address", frames.OUTER_DESTINATION_MAC)
        self.in_port = Port(self, self.sender, "s1")
        self.appliance.run("ethtool", "-L", "in1", "combined", "2")
        self.assertRegex(self.appliance.run("ethtool", "-l", "in1").stdout,
                         r"(?s)maximums.*Combined:\s+3\n.*settings.*Combined:\s+2\n")
        refusal = self.refused_native("in1")
        self.follow_suit("in1", refusal)
        self.remove_instance()
        self.appliance.run("ethtool", "-L", "in1", "combined", "1")
        self.assertIsNone(self.refused_native("in1"))
        self.follow_suit("in1", None)


class Links(VirtioNet, Watched):
    """/healthz and `status` report a cable that is unplugged, and when it is back."""

    def cut(self, name, interface):
        self.addCleanup(guest_host.set_link, interface, True)
        guest_host.set_link(interface, False)
        self.unhealthy(name)
        self.assertEqual(self.json("status")["state"], "running")

    def unhealthy(self, name):
        self.told(False, f"{name} without a carrier")
        for said in (self.get().text, self.reasons()):
            self.assertIn(f"{name} has no carrier", said)

    def heal(self, interface):
        guest_host.set_link(interface, True)
        self.told(True, "the carrier is back")
        self.assertEqual(self.reasons(), "")

    def goes_down_and_comes_back(self, name, interface):
        self.start_native()
        wait_for(self.is_well, 10, "health")
        self.assertTrue(self.forwards(20))
        self.cut(name, interface)
        self.heal(interface)
        wait_for(lambda: self.forwards(5), 10, "forwarding")
        self.assertTrue(self.forwards(100))

    def test_listening(self):
        self.goes_down_and_comes_back("in0", IN0)

    def test_on_the_way_out(self):
        self.goes_down_and_comes_back("out0", OUT0)

    def test_started_without_carrier(self):
        """A start needs no carrier; packets leave as soon as there is one."""
        self.addCleanup(guest_host.set_link, OUT0, True)
        guest_host.set_link(OUT0, False)
        wait_for(lambda: self.appliance.link("out0")["operstate"] == "DOWN", 5, "out0 down")
        self.start_native()
        self.unhealthy("out0")
        self.heal(OUT0)
        wait_for(lambda: self.forwards(5), 10, "forwarding")
        self.assertTrue(self.forwards(100))
