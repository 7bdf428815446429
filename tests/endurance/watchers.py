# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the endurance tests: losses, mixtures and duplicates made on purpose are noticed."""

import signal
import struct
import time

import rig
import sides
from lib import frames, program
from lib.command import wait_for
from lib.port import Port

PPS = 100000
MAGIC = 0x56585047
RING = 256  # frames, of a veth (drivers/net/veth.c: VETH_RING_SIZE)


class Watchers(rig.Ground):
    def interrupt(self, namespace, interface):
        """Takes the interface down for longer than the sender may be late on a busy machine."""
        namespace.ip("link", "set", interface, "down")
        time.sleep(0.2)
        namespace.ip("link", "set", interface, "up")
        self.set_neighbours()
        self.let_come()

    def lose(self, namespace, interface, where):
        """Loses packets at an interface; checks that they are found there, and returns how many."""
        self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        self.journal.note("the loss")
        self.interrupt(namespace, interface)
        sent = sender.end()["packets"]
        order, stats = self.judge.settled(), self.stats()
        lost = sent - order.received
        self.assertGreater(lost, 0)
        self.assertEqual((order.missing, order.late), (lost, 0))
        told = self.whereabouts(sent, order, stats)
        self.assertIn(f"{where}: {lost}", told)
        self.assertRegex(told, r"from number \d+ on, .* ms after: the loss")
        return lost

    def test_a_loss_before_the_program(self):
        lost = self.lose(self.sender, "s0", "lost before the program")
        self.assertEqual(sum(self.drops.read().values()), lost, self.drops.read())

    def test_a_loss_behind_the_program(self):
        lost = self.lose(self.collector, "c0", "lost behind the program")
        counted = sum(self.drops.read().values())
        # c0 has taken what is in its ring as it goes down: the kernel frees that, and tells nobody
        self.assertLessEqual(counted, lost, self.drops.read())
        self.assertGreater(counted, lost - RING, self.drops.read())

    def test_a_drop_by_the_program(self):
        """The rule of flow 1 is missing for a moment."""
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        less = [rule for rule in sides.OLD.changes["nat"]
                if rule["match"]["source"] != sides.flow_source(1)]
        for rules in (less, sides.OLD.changes["nat"]):
            self.reload_to(daemon, {**sides.OLD.changes, "nat": rules})
        sent = sender.end()["packets"]
        order, stats = self.judge.settled(), self.stats()
        self.assertGreater(sent - order.received, 0)
        self.assertIn(f"dropped by the program: {sent - order.received}",
                      self.whereabouts(sent, order, stats))

    def reload_to(self, daemon, changes):
        self.write(changes)
        daemon.signal(signal.SIGHUP)
        daemon.notified("READY=1")
        self.let_come()

    def test_a_mixture(self):
        """Old rules with one of the new settings, and the other way round, count as mixed."""
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        for side, other in (sides.SIDES, sides.SIDES[::-1]):
            for key, value in other.changes["inner"].items():
                changes = program.merge(side.changes, {"inner": {**side.changes["inner"],
                                                                 key: value}})
                before = self.mixed(self.judge.outcomes())
                self.reload_to(daemon, changes)
                self.assertGreater(self.mixed(self.judge.outcomes()), before, changes["inner"])
        sender.end()

    def test_a_packet_that_comes_twice(self):
        self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        stamp = struct.pack("=IIQQIIHH", MAGIC, self.judge.order().run, 7, 0, 0, 0, 0, 0)
        packet = frames.udp(sides.flow_source(0), "10.20.0.2", 42844, 7000, stamp.ljust(70, b"\0"))
        Port(self, self.appliance, "out0").send(frames.ether(packet))
        wait_for(lambda: self.judge.order().late, 5, "the packet")
        sender.end()
        self.assertEqual(self.judge.settled().late, 1)
