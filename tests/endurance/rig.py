# SPDX-License-Identifier: GPL-2.0-only
"""
What the endurance tests share: a million numbered packets a second through the pipeline, a judge
that looks at every one, and counters that tell where a missing one was lost.

A packet stays on the CPU that sends it, and batches are smaller than the queues on its way: other
work on the machine delays the sender but costs no packet.
"""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import time

import bpf
import sides
from lib import ground, program
from lib.command import wait_for
from lib.daemon import Daemon
from lib.namespace import CLONE_NEWNET
from sides import FLOWS, SIDES, Outcome, flow_source

BUILD = os.path.join(os.path.dirname(program.PROGRAM), "endurance")
OTHER = os.path.join(BUILD, "other", "vxlan-pipeline")
GAPS = 64

ADDRESS = ("127.0.0.1", 9789)  # of the HTTP server
SERVED = "%s:%d" % ADDRESS

PLACES = ("lost on the way out of", "redirect refused on", "program aborted on")


class Order:
    """struct order of judge.bpf.c."""

    HEAD = "=7Q4IQ"
    SIZE = struct.calcsize(HEAD) + GAPS * 24

    def __init__(self, raw):
        (self.received, self.next, self.missing, self.late, self.changes, self.strange, self.delay,
         self.run, _, _, _, self.gaps) = struct.unpack_from(self.HEAD, raw)
        places = struct.iter_unpack("=3Q", raw[struct.calcsize(self.HEAD):])
        self.gap = sorted(gap for gap in places if gap[2])


class Judge:
    """A program of judge.bpf.c on the collector's interface."""

    def __init__(self, test, namespace, interface, name):
        self.object = bpf.Object(test, os.path.join(BUILD, "judge.bpf.o"))
        self.outcome_map = self.object.map("outcomes", 16, 8 * bpf.CPUS)
        self.order_map = self.object.map("orders", 4, Order.SIZE)
        with inside(namespace):
            self.object.attach_xdp(name, socket.if_nametoindex(interface))

    def order(self):
        return Order(self.order_map.get(bytes(4)))

    def outcomes(self):
        return {key: sum(struct.unpack(f"={bpf.CPUS}Q", value))
                for key, value in self.outcome_map.items()}

    def settled(self, seconds=10):
        """Waits until no packets come any more; returns the order."""
        before, deadline = None, time.monotonic() + seconds
        while True:
            order = self.order()
            if before is not None and order.received == before:
                return order
            if time.monotonic() > deadline:
                raise AssertionError(f"packets still come {seconds} s after the sender's end")
            before = order.received
            time.sleep(0.1)


@contextlib.contextmanager
def inside(namespace):
    """Moves this thread into a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", encoding="ascii") as home, \
            open(namespace.path, encoding="ascii") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET):
                os.abort()


class Drops:
    """The counters of drops.bpf.c for the interfaces of one test."""

    def __init__(self, test, ends):
        """`ends`: (namespace, interface) of each."""
        self.names = {(os.stat(namespace.path).st_ino, namespace.link(interface)["ifindex"]):
                      interface for namespace, interface in ends}
        watcher = bpf.Object(test, os.path.join(BUILD, "drops.bpf.o"))
        self.map = watcher.map("drops", 16, 8)
        watcher.attach()

    def read(self):
        """{(place, interface, code): frames}"""
        found = {}
        for key, value in self.map.items():
            namespace, ifindex, place, code = struct.unpack("=3Ii", key)
            name = self.names.get((namespace, ifindex))
            if name:
                found[PLACES[place], name, code] = struct.unpack("=Q", value)[0]
        return found


class Sender:
    """`generate` on one CPU, until end()."""

    def __init__(self, test, namespace, pps, size, batch, seconds=3600):
        cpu = max(os.sched_getaffinity(0))
        self.pps = pps
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            namespace.command(
                "taskset", "-c", str(cpu), "nice", "-n", "-15", program.PROGRAM, "generate", "-i",
                "s0", "--pps", str(pps), "--seconds", str(seconds), "--flows", str(FLOWS),
                "--inner-source", flow_source(0), "--inner-size", str(size), "--df",
                "--batch", str(batch), "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        test.addCleanup(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def end(self):
        """Ends `generate`; returns its report."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        if not out:
            raise AssertionError(f"the sender: exit {self.process.returncode}: {err}")
        return json.loads(out)


class Journal:
    """What the test did and when, by the same clock as the judge's gaps."""

    def __init__(self):
        self.entries = []

    def note(self, what):
        self.entries.append((time.monotonic_ns(), what))

    def before(self, moment):
        """The test's last action before the moment, as text."""
        earlier = [entry for entry in self.entries if entry[0] <= moment]
        if not earlier:
            return "before the test did anything"
        at, what = earlier[-1]
        return f"{(moment - at) / 1e6:.1f} ms after: {what}"


class Ground(ground.Ground):
    """The three namespaces with the judge on the collector, and with permanent neighbours."""

    CONFIG = {
        "listen": {"interface": "in0", "vnis": [1]},
        "forward": {"interface": "out0", "next_hop": "route", "mtu": 1500},
        "http": {"listen": "off"},
    }
    SIDES = SIDES
    JUDGE, VERDICT, INNER_SIZE = "endurance_judge", "redirected", 98
    BATCH = 32  # frames; queues hold 256: several batches, if the CPU was taken away meanwhile
    describe = Outcome.describe

    def setUp(self):
        super().setUp()
        self.set_neighbours()
        self.journal = Journal()
        self.judge = Judge(self, self.collector, "c0", self.JUDGE)
        # `generate` makes its frames as if they came in on the loopback interface
        self.drops = Drops(self, ((self.sender, "lo"), (self.sender, "s0"), (self.appliance, "in0"),
                                  (self.appliance, "out0"), (self.collector, "c0")))
        self.turns = 0  # how often the configuration in force changed to the other side
        self.side = None

    def set_neighbours(self):
        for last, mac in ((2, sides.COMMON_MAC), (3, sides.OLD_MAC), (4, sides.NEW_MAC)):
            self.set_neighbour(last, mac)

    def set_neighbour(self, last, mac):
        self.appliance.ip("neigh", "replace", f"10.20.0.{last}", "lladdr", mac, "dev", "out0",
                          "nud", "permanent")

    def take_side(self, side):
        """Writes the side's configuration, for a daemon to load."""
        self.write(side.changes)
        self.turns += self.side is not None and self.side is not side
        self.side = side

    def daemon(self, side, *arguments, executable=None):
        self.take_side(side)
        return Daemon(self, self.appliance, "-c", self.config_path, *arguments,
                      instance=self.instance, executable=executable)

    @property
    def config_path(self):
        return os.path.join(self.work.path, "config.yaml")

    def send(self, pps):
        sender = Sender(self, self.sender, pps, self.INNER_SIZE, self.BATCH)
        wait_for(lambda: self.judge.order().received or sender.process.poll() is not None, 20,
                 "the first packet")
        if sender.process.poll() is not None:
            sender.end()
        return sender

    def request(self, method, path):
        with inside(self.appliance):
            connection = http.client.HTTPConnection(*ADDRESS, timeout=20)
            connection.connect()
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def start_over(self, *arguments, executable=None):
        """Starts a daemon with the other rules; returns once they are in force."""
        daemon = self.daemon(self.other_side(), *arguments, executable=executable)
        self.journal.note(f"start, {self.side.name} rules")
        daemon.ready()
        self.journal.note("ready")
        self.check_in_force()
        return daemon

    def other_side(self):
        return self.SIDES[self.side is self.SIDES[0]]

    def reload(self, daemon):
        """Reloads with the other side; returns once the daemon says that it is in force."""
        self.take_side(self.other_side())
        self.journal.note(f"SIGHUP, {self.side.name} rules")
        daemon.signal(signal.SIGHUP)
        daemon.notified("READY=1")
        if not daemon.stderr.rstrip().endswith("reloaded"):
            raise AssertionError(f"the reload failed: {daemon.stderr}")

    def let_come(self, count=1000):
        """Waits until `count` more packets have come, however late the sender is."""
        received = self.judge.order().received
        wait_for(lambda: self.judge.order().received > received + count, 60, "packets to come")

    def check_in_force(self):
        """Fails unless packets that come from now on have this side's outcomes only."""
        before = self.judge.outcomes()
        self.let_come()
        grown = {key for key, count in self.judge.outcomes().items() if count > before.get(key, 0)}
        self.assertEqual(grown, self.side.outcomes,
                         f"{self.side.name} rules are said to be in force, but there came: " +
                         "; ".join(map(self.describe, grown - self.side.outcomes)))

    def check(self, sender, daemon_runs=True):
        """Ends the sender; compares what it sent with what came and what the instance counted."""
        report = sender.end()
        order, outcomes = self.judge.settled(), self.judge.outcomes()
        stats = self.stats()
        sent = report["packets"]
        print(f"    {sent} packets in {report['seconds']:.1f} s, {report['pps']:.0f} a second of "
              f"{sender.pps}, at most {report['max_lag_seconds'] * 1e3:.1f} ms late; "
              f"{order.received} came, {order.missing} missing, {order.late} late or twice, "
              f"{self.mixed(outcomes)} mixed; at most {order.delay / 1e6:.1f} ms on the way",
              flush=True)
        with self.subTest("every packet arrives"):
            self.assertEqual(order.received, sent, self.whereabouts(sent, order, stats))
        with self.subTest("in order, none twice"):
            self.assertEqual((order.missing, order.late, order.strange), (0, 0, 0))
        with self.subTest("each is judged wholly by the old or wholly by the new rules"):
            self.check_outcomes(outcomes)
        with self.subTest("each change happens at one instant"):
            self.assertEqual(order.changes, self.turns)
        self.check_counters(stats, sent, outcomes)
        with self.subTest("the sender kept its pace"):
            if not report["kept_pace"]:
                self.skipTest(f"this machine had time for {report['pps']:.0f} packets a second "
                              f"of {sender.pps}")
        return report

    def allowed(self):
        return set().union(*(side.outcomes for side in self.SIDES))

    def mixed(self, outcomes):
        return sum(count for key, count in outcomes.items() if key not in self.allowed())

    def check_outcomes(self, outcomes):
        strange = [f"{count} {self.describe(key)}" for key, count in outcomes.items()
                   if key not in self.allowed()]
        self.assertEqual(strange, [])
        for side in self.SIDES if self.turns else (self.side,):
            for key in side.outcomes:
                self.assertIn(key, outcomes, f"{side.name} rules never came about")

    def check_counters(self, stats, sent, outcomes):
        verdicts = {name: value["packets"] for name, value in stats["verdicts"].items()
                    if value["packets"] and name != "not_tunnel"}
        with self.subTest("the instance counted every packet"):
            self.assertEqual(verdicts, {self.VERDICT: sent})
            self.assertEqual(stats["counters"]["nat_applied"], sent)
        with self.subTest("the count of a VNI survives"):
            self.assertEqual([(vni["vni"], vni["packets"]) for vni in stats["vnis"]], [(1, sent)])
        with self.subTest("the count of a rule that both configurations have survives"):
            common = sum(outcomes.get(side.common, 0) for side in self.SIDES)
            self.assertEqual(stats["rules"][0]["packets"], common)

    def whereabouts(self, sent, order, stats):
        """Text for a failure: where packets were lost, by the counters, and during what."""
        entered = sum(value["packets"] for name, value in stats["verdicts"].items()
                      if name != "not_tunnel")
        left = stats["verdicts"][self.VERDICT]["packets"]
        lines = ["", f"lost before the program: {sent - entered}",
                 f"dropped by the program: {entered - left}",
                 f"lost behind the program: {left - order.received}"]
        lines += [f"{place} {interface}, code {code}: {count}"
                  for (place, interface, code), count in self.drops.read().items()]
        lines += [f"{missing} from number {number} on, {self.journal.before(moment)}"
                  for moment, number, missing in order.gap]
        return "\n".join(lines)


SERVING = program.merge(Ground.CONFIG, {"http": {"listen": SERVED}})
