# SPDX-License-Identifier: GPL-2.0-only
"""
Faults under traffic. Packets that can be delivered are delivered, the others are counted, and
afterwards the instance is as it was before.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
import unittest

from lib import frames, kernel, program
from lib.command import need_commands, wait_for
from lib.daemon import PINS, Daemon
from lib.life import Traffic, rules, tunnels
from lib.namespace import napi, veth
from lib.port import Port, is_ip
from lib.watch import Watched

# For `unshare`: a BPF file system of the daemon's own, so that unmounting it removes its pins.
OWN_BPFFS = ("--mount", "--propagation", "private", "sh", "-c",
             "while umount /sys/fs/bpf 2> /dev/null; do :; done; "
             'mount -t bpf bpf /sys/fs/bpf && exec "$@"', "sh")


class BigTraffic(Traffic):
    """Packets of 1228 bytes, which leave whole or, over a smaller MTU, in two pieces."""

    def _send(self):
        while not self.stop.is_set() and self.sent < 100000:
            self.test.in_port.send(*[
                frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514,
                                                      b"number %06d" % n + bytes(1187))))
                for n in range(self.sent, self.sent + 5)])
            self.sent += 5
            time.sleep(self.pause)

    def whole(self):
        """How many arrived, whole or in two pieces; fails if a piece has no counterpart."""
        fields = [int.from_bytes(frame[20:22], "big") & 0x3FFF for frame in self.collect()]
        first, last = (sum(field == start for field in fields) for start in (0x2000, max(fields)))
        if max(fields):
            self.test.assertEqual(first, last, "pieces")
        return fields.count(0) + first


class Interfaces(Watched):
    def test_deleted_under_traffic(self):
        """out0 goes away and comes back: every packet has a verdict, and the last ones arrive."""
        daemon = self.start()
        with Traffic(self) as traffic:
            before = self.out_port.receive(is_ip, 20, quiet=0)
            self.appliance.ip("link", "delete", "out0")
            self.told(False, "out0 deleted")
            veth(self.appliance, "out0", self.collector, "c0", self.MTU_OUT)
            self.out_port = Port(self, self.collector, "c0")
            for namespace, interface, last in ((self.appliance, "out0", 1),
                                               (self.collector, "c0", 2)):
                namespace.ip("addr", "add", f"10.20.0.{last}/24", "dev", interface)
            self.told(True, "out0 made anew")
            self.out_port.receive(is_ip, 20, quiet=0)
            first = traffic.sent
        self.assertGreater(len(before), 0)
        wait_for(lambda: sum(self.verdicts().values()) == traffic.sent, 5, "every verdict")
        last = {int(frame[49:55]) for frame in traffic.collect()}
        self.assertLessEqual(set(range(first, traffic.sent)), last, "delivered to the end")
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def lost(self):
        return sum(row["packets"] for row in self.json("status")["losses"]
                   if row["place"] == "transmit")

    def test_mtu_lowered_and_raised(self):
        """Packets are fragmented to the new MTU; those that out0 refused before count as lost."""
        self.start()
        with BigTraffic(self) as traffic:
            for mtu in (1000, 1500):
                uptime = self.stats()["uptime_seconds"]
                self.appliance.ip("link", "set", "out0", "mtu", str(mtu))
                wait_for(lambda m=mtu: self.mtu_in_force() == m, 5, f"an MTU of {mtu}")
                self.assertGreater(self.stats()["uptime_seconds"], uptime,
                                   "it was never detached")
                time.sleep(0.3)
            wait_for(self.is_well, 5, "health")
        self.assertEqual(traffic.whole() + self.lost(), traffic.sent)
        lengths = {len(frame) for frame in traffic.collect()}
        self.assertIn(1242, lengths, "whole at first and at last")
        self.assertTrue(any(1000 - 8 < length - 14 <= 1000 for length in lengths), lengths)
        self.assertEqual(len(traffic.collect()[-1]), 1242)

    def mtu_in_force(self):
        """The MTU, judged by how often the daemon has put the configuration in force."""
        return {1: None, 2: 1000, 3: 1500}.get(self.generation())

    def generation(self):
        return int(os.readlink(self.pin("current")).split("-")[1])

    def test_mtu_of_the_way_in(self):
        """After in0's MTU has changed, the daemon puts the configuration in force again."""
        self.start()
        self.assertTrue(self.forwards())
        for mtu in (1600, self.MTU_IN):
            before = self.generation()
            for namespace, interface in ((self.appliance, "in0"), (self.sender, "s0")):
                namespace.ip("link", "set", interface, "mtu", str(mtu))
            wait_for(lambda b=before: self.generation() > b, 5, "the MTU")
            wait_for(self.is_well, 5, "health")
            self.assertTrue(self.forwards())
        if self.driver("in0") != "veth":  # others may refuse or not
            return
        refused = self.appliance.ip("link", "set", "in0", "mtu", "9000", check=False)
        peer = self.sender.ip("link", "set", "s0", "mtu", "9000", check=False)
        self.assertTrue(refused.returncode or peer.returncode, "the kernel keeps XDP's limit")
        self.assertTrue(self.forwards())

    def test_somebody_elses_program_on_the_way_out_goes(self):
        """The instance relied on that program for redirecting: it attaches one of its own."""
        self.attach_program(self.appliance, "out0")
        daemon = self.start()
        self.assertTrue(self.forwards())
        self.appliance.ip("link", "set", "dev", "out0", "xdp", "off")
        wait_for(lambda: self.appliance.xdp("out0"), 2, "a program on out0")
        self.assertTrue(self.forwards())
        self.assertIn("out0 carries no XDP program any more", daemon.stderr)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()
        self.assertIsNone(self.appliance.xdp("out0"))

    @unittest.skipIf(kernel.has_multi_buffer(), "this kernel takes large frames in native mode")
    def test_native_mode_once_the_mtu_allows(self):
        """The daemon tries native mode again once the MTU that ruled it out has changed."""
        if self.driver("in0") != "veth":
            self.skipTest("only a veth looks at its peer's MTU")
        self.sender.ip("link", "set", "s0", "mtu", "9000")
        daemon = self.start()
        self.assertEqual(self.json("status")["mode"], "generic")
        self.reload(daemon)
        self.assertEqual(self.json("status")["mode"], "generic", "packets flow")
        self.assertIn("still in generic mode", daemon.stderr)
        self.sender.ip("link", "set", "s0", "mtu", str(self.MTU_IN))
        self.appliance.ip("link", "set", "in0", "mtu", str(self.MTU_IN - 2))
        wait_for(lambda: self.json("status")["mode"] == "native", 5, "native mode")
        self.assertTrue(self.forwards())

    def test_reload_that_changes_the_way_out(self):
        """Each packet leaves by the old interface or the new one; the counters go on."""
        veth(self.appliance, "out1", self.collector, "c1", self.MTU_OUT)
        self.appliance.ip("addr", "add", "10.30.0.1/24", "dev", "out1")
        self.appliance.ip("neigh", "replace", "10.30.0.2", "lladdr", self.collector.mac("c1"),
                          "dev", "out1", "nud", "permanent")
        other = Port(self, self.collector, "c1")
        daemon = self.start()
        with Traffic(self) as traffic:
            self.write({"forward": {"interface": "out1"}}, rules("10.30.0.2:8081"))
            self.reload(daemon)
            time.sleep(0.2)
            self.write()
            self.reload(daemon)
        there = {frame[42:55] for frame in other.receive(is_ip, quiet=0.5)}
        here = {frame[42:55] for frame in traffic.collect()}
        self.assertTrue(here and there and not here & there)
        self.assertEqual(len(here) + len(there), traffic.sent)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent})
        self.assertIsNone(self.appliance.xdp("out1"))

    def test_reload_that_changes_the_way_in(self):
        """The old interface has no program any more, the new one serves; the counters go on."""
        veth(self.sender, "s1", self.appliance, "in1", self.MTU_IN)
        self.appliance.ip("link", "set", "in1", "address", frames.OUTER_DESTINATION_MAC)
        daemon = self.start()
        self.assertTrue(self.forwards(4))
        self.write({"listen": {"interface": "in1"}})
        self.reload(daemon)
        self.assertIsNone(self.appliance.xdp("in0"))
        self.in_port = Port(self, self.sender, "s1")
        self.assertTrue(self.forwards(5))
        self.assertEqual(self.verdicts(), {"redirected": 9})
        wait_for(self.is_well, 5, "health")
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()


class Unmounted(Watched):
    def inside(self, *words, **options):
        """Runs a command in the mount namespace of the daemon."""
        return self.appliance.run("nsenter", f"--mount=/proc/{self.daemon.pid}/ns/mnt", *words,
                                  **options)

    def pinned(self):
        """The names of the pins; the generation has another number after each reload."""
        names = self.inside("ls", os.path.join(PINS, self.instance)).stdout
        return re.sub(r"generation-\d+", "generation-N", names).split()

    def cli(self, *words, **options):
        return self.inside(program.PROGRAM, *words, **options)

    def lost(self):
        return sum(row["packets"] for row in self.json("status")["losses"]
                   if row["place"] == "transmit")

    def lose(self, count):
        napi(self.collector, "c0", False)
        self.in_port.send(*tunnels(count))
        wait_for(lambda: self.out_port.receive(is_ip, quiet=0.1) == [], 2, "silence")
        napi(self.collector, "c0", True)

    def start_apart(self):
        need_commands("unshare", "nsenter")
        self.daemon = Daemon(self, self.appliance, *OWN_BPFFS[1:], program.PROGRAM, "run",
                             "-c", self.write(), instance=self.instance, name=OWN_BPFFS[0],
                             executable="unshare").ready()
        wait_for(self.is_well, 10, "health")

    def test_unmounted_between_two_looks(self):
        """
        The mark of a drained instance goes with the pins that the daemon has just seen: it is not
        taken for undrained. The daemon is slowed down where it looks for the mark.
        """
        need_commands("strace")
        self.start_apart()
        self.cli("drain", "--instance", self.instance)
        self.told_when(lambda: "draining" in self.get().text, "drained")
        slow = ("-qq", "-o", "/dev/null", "-e", "trace=access", "-e",
                "inject=access:delay_enter=300000", "-p", str(self.daemon.pid))
        for _ in range(4):
            with subprocess.Popen(["strace", *slow]) as strace:
                try:
                    time.sleep(0.5)
                    self.inside("umount", "--lazy", "/sys/fs/bpf")
                    time.sleep(1)
                finally:
                    strace.terminate()
            self.inside("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
            self.told_when(lambda: "draining" in self.get().text, "mounted and drained still")

    def test_unmounted(self):
        """
        Traffic goes on while the BPF file system is unmounted, and /healthz names the cause. Once
        it is mounted again, the daemon pins everything again, and the counters go on.
        """
        self.start_apart()
        self.lose(5)
        self.assertEqual(self.lost(), 5)
        pinned = self.pinned()
        self.cli("drain", "--instance", self.instance)
        self.told_when(lambda: "draining" in self.get().text, "drained")
        with Traffic(self) as traffic:
            self.inside("umount", "/sys/fs/bpf")
            self.told_when(lambda: "mount -t bpf bpf /sys/fs/bpf" in self.get().text, "unmounted")
            self.assertIn("mount -t bpf", self.reasons())
            self.assertEqual(self.get("/stats.json").status, 503, "not for long")
            time.sleep(0.3)
            self.inside("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
            self.told_when(lambda: "draining" in self.get().text, "mounted and drained still")
            self.cli("drain", "--undo", "--instance", self.instance)
            self.told(True, "mounted again")
        self.assertEqual(self.pinned(), pinned)
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent + 5})
        self.assertEqual(self.stats()["rules"][0]["packets"], traffic.sent + 5)
        self.assertEqual([vni["packets"] for vni in self.stats()["vnis"]], [traffic.sent + 5])
        self.assertEqual(self.lost(), 5)
        self.lose(3)
        self.assertEqual(self.lost(), 8, "counted on, and once")
        self.reload(self.daemon)
        self.lose(2)
        self.assertEqual(self.lost(), 10, "also after a reload")
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertEqual(self.appliance.xdp_interfaces(), [])


class Memory(Watched):
    """The N-th bpf(2) fails with ENOMEM, for many N."""

    INJECT = ("strace", "-qq", "-o", "/dev/null", "-e", "trace=bpf", "-e")

    def setUp(self):
        super().setUp()
        need_commands("strace")

    def test_start(self):
        """A start fails with one line and leaves nothing, or does without."""
        failed = 0
        for number in (4, *range(21, 93, 9)):
            with self.subTest(f"request {number}"):
                result = self.appliance.run(
                    *self.INJECT, f"inject=bpf:error=ENOMEM:when={number}", program.PROGRAM, "run",
                    "-c", self.write({"log": {"level": "error"}}), "--instance", self.instance,
                    "-d", "1", check=False)
                lines = result.stderr.splitlines()
                if result.returncode:
                    failed += 1
                    self.assertEqual(result.returncode, 1)
                    self.assertEqual(len(lines), 1, result.stderr)
                    self.assertRegex(lines[0], "(?i)memory|ENOMEM")
                self.assert_nothing_left()
        self.assertGreater(failed, 2)

    def test_reload(self):
        """A reload succeeds or is refused with one line; either way every packet arrives."""
        daemon = self.start({"log": {"level": "error"}})
        refused = 0
        with Traffic(self) as traffic:
            for number in range(3, 90, 7):
                logged = len(daemon.stderr)
                with self.subTest(f"request {number}"), self.injected(daemon, number):
                    self.reload(daemon)
                    said = daemon.stderr[logged:].splitlines()
                    refused += any("not reloaded" in line for line in said)
                    self.assertLessEqual(len(said), 1, said)
        self.assertGreater(refused, 2)
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent})
        self.reload(daemon)
        wait_for(self.is_well, 10, "health")
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    @contextlib.contextmanager
    def injected(self, daemon, number):
        tracer = subprocess.Popen([*self.INJECT, f"inject=bpf:error=ENOMEM:when={number}", "-p",
                                   str(daemon.pid)])
        try:
            wait_for(lambda: self.tracer(daemon) == tracer.pid, 5, "strace")
            yield
        finally:
            tracer.terminate()
            tracer.wait()
            wait_for(lambda: self.tracer(daemon) == 0, 5, "strace to end")

    def tracer(self, daemon):
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
            return int(re.search(r"TracerPid:\s*(\d+)", file.read())[1])


class Daemons(Watched):
    def test_stopped_under_load(self):
        """The daemon is stopped for five seconds: no packet is lost, and health recovers."""
        daemon = self.start()
        with Traffic(self) as traffic:
            daemon.signal(signal.SIGSTOP)
            self.addCleanup(daemon.signal, signal.SIGCONT)
            time.sleep(5)
            daemon.signal(signal.SIGCONT)
            self.told(True, "the daemon goes on")
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent})

    def test_usr1_leaves_the_datapath(self):
        """Like --linger, but decided at the end: the next daemon adopts, and no packet is lost."""
        daemon = self.start()
        with Traffic(self) as traffic:
            daemon.signal(signal.SIGUSR1)
            self.assertEqual(daemon.wait(), 0)
            self.assertEqual(self.json("status")["state"], "unattended")
            time.sleep(0.2)
            daemon = self.start()
            self.assertIn("program replaced", daemon.stderr)
            self.told(True, "adopted")
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent})
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_route_changes_under_traffic(self):
        """The gateway changes a few times: every packet goes to one of the two."""
        for last in (101, 102):
            self.appliance.ip("neigh", "replace", f"10.20.0.{last}", "lladdr",
                              f"02:00:5e:00:00:{last:02x}", "dev", "out0", "nud", "permanent")
        self.appliance.ip("route", "add", "198.51.100.0/24", "via", "10.20.0.101")
        self.start(rules("198.51.100.1:8081"))
        with Traffic(self) as traffic:
            for last in (102, 101, 102):
                self.appliance.ip("route", "replace", "198.51.100.0/24", "via", f"10.20.0.{last}")
                time.sleep(0.2)
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual({frame[:6].hex(":") for frame in traffic.collect()},
                         {"02:00:5e:00:00:65", "02:00:5e:00:00:66"})
        self.assertEqual(traffic.collect()[-1][5], 102)
